package httpapi

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// EncodeCursor returns the opaque text for position, "" for the beginning of a list.
func EncodeCursor(position string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(position))
}

// DecodeCursor returns the position in text; ok is false for text that EncodeCursor did
// not write.
func DecodeCursor(text string) (position string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) != base64.RawURLEncoding.EncodedLen(len(b)) { // the decoder skips line breaks
		return "", false
	}
	return string(b), true
}

// EncodeTimeCursor returns the cursor of an entry of a list sorted by time, in
// milliseconds, and id.
func EncodeTimeCursor(t time.Time, id string) string {
	return EncodeCursor(strconv.FormatInt(t.UnixMilli(), 10) + " " + id)
}

// DecodeTimeCursor returns the time and the id in text, the zero time and "" for "".
// valid reports whether an id can occur in the list; ok is false where it cannot, and
// for text that EncodeTimeCursor did not write.
func DecodeTimeCursor(text string, valid func(id string) bool) (t time.Time, id string, ok bool) {
	position, ok := DecodeCursor(text)
	if !ok || position == "" {
		return time.Time{}, "", ok
	}
	ms, id, _ := strings.Cut(position, " ")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || !valid(id) {
		return time.Time{}, "", false
	}
	return time.UnixMilli(n), id, true
}
