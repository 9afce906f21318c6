// Package cursor writes places in lists in a form that callers send back and are not
// meant to read. Whether there is such a place is for the list to say.
package cursor

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Of returns the cursor of place. That of "", which is before the first, is "".
func Of(place string) string { return base64.RawURLEncoding.EncodeToString([]byte(place)) }

// Read returns the place that Of was given; ok is false for text that Of did not write.
func Read(text string) (place string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) != base64.RawURLEncoding.EncodedLen(len(b)) { // line breaks are passed over
		return "", false
	}
	return string(b), true
}

// At returns the cursor of what has an id and, to the millisecond, a time.
func At(t time.Time, id string) string {
	return Of(strconv.FormatInt(t.UnixMilli(), 10) + " " + id)
}

// ReadAt returns the time and the id that At was given, the zero time and "" for "".
// is tells whether an id can be one of the list's; ok is false where it cannot, and
// for text that At did not write.
func ReadAt(text string, is func(id string) bool) (t time.Time, id string, ok bool) {
	place, ok := Read(text)
	if !ok || place == "" {
		return time.Time{}, "", ok
	}
	ms, id, _ := strings.Cut(place, " ")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || !is(id) {
		return time.Time{}, "", false
	}
	return time.UnixMilli(n), id, true
}
