// Package secret keeps secrets from being shown: Text never prints itself, and
// Box seals what has to be kept at rest.
package secret

import (
	"fmt"
	"log/slog"
)

// shown is what stands wherever a Text would be printed.
const shown = "[secret]"

// Text is a string that no formatter, encoder or logger shows. The empty Text
// shows as the empty string, so that "not set" can be told from "hidden".
type Text string

// Reveal returns the secret itself.
func (t Text) Reveal() string { return string(t) }

// String hides the secret.
func (t Text) String() string {
	if t == "" {
		return ""
	}
	return shown
}

// Format hides the secret from every verb of package fmt, %x and %#v included.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// MarshalText hides the secret from JSON, YAML and XML encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText takes the secret as it stands.
func (t *Text) UnmarshalText(b []byte) error {
	*t = Text(b)
	return nil
}

// LogValue hides the secret from package slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }
