// Package secret protects secrets: Text and URL are strings that do not print
// themselves, and Box encrypts stored data.
package secret

import (
	"fmt"
	"log/slog"
)

// placeholder is printed instead of a Text.
const placeholder = "[secret]"

// Text is a string that no formatter, encoder or logger prints. An empty Text prints
// as an empty string, so "not set" and "hidden" look different.
type Text string

// Reveal returns the secret itself.
func (t Text) Reveal() string { return string(t) }

// String hides the secret.
func (t Text) String() string {
	if t == "" {
		return ""
	}
	return placeholder
}

// Format hides the secret from every verb of package fmt, including %x and %#v.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// MarshalText hides the secret from JSON, YAML and XML encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the secret in clear.
func (t *Text) UnmarshalText(b []byte) error {
	*t = Text(b)
	return nil
}

// LogValue hides the secret from package slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }
