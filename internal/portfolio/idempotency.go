package portfolio

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"casbroker/internal/fault"
)

const (
	// keyLife is how long the answer to a request with a key is kept.
	keyLife = 24 * time.Hour
	// keyLease is how long a key stays claimed by a request that never ended,
	// because the process did: what a save may take, and a little more.
	keyLease = saveTimeout + 5*time.Second
	// maxKey is the longest key, in bytes.
	maxKey = 255
)

// Failures of a request with an Idempotency-Key.
var (
	// ErrKeyReused: the key was used for another body.
	ErrKeyReused = fault.New(fault.Unprocessable, "idempotency_key_reused",
		"This Idempotency-Key was used for another body; use a new key for each payload.")
	// ErrKeyInFlight: a request with the key has not ended yet.
	ErrKeyInFlight = fault.New(fault.Conflict, "idempotency_in_flight",
		"A request with this Idempotency-Key is still being worked on; send it again in a moment.").After(2 * time.Second)
	// ErrKeyOfDeleted: what was saved with the key has been deleted, and the answer with it.
	ErrKeyOfDeleted = fault.New(fault.Conflict, "idempotency_answer_deleted",
		"What was saved with this Idempotency-Key has been deleted since; use a new key to save it again.")

	errKey = fault.New(fault.Invalid, "invalid_idempotency_key",
		`Idempotency-Key must be one string of 1 to 255 ASCII characters, such as "0f8b2c1e-6a3d".`)
)

// Claim is a request's hold on an Idempotency-Key.
type Claim struct {
	Subject string
	Route   string // a key means something else at another route
	Key     string
	Body    [32]byte  // SHA-256 of the body
	Holder  string    // tells this request from others with the same key
	At      time.Time // when it was claimed
	Until   time.Time // when others may claim it, unless it was completed
	Expires time.Time // when it is forgotten
}

// Keys keeps Idempotency-Keys. A claim is completed by the save that it is part of.
type Keys interface {
	// ClaimKey returns nil when the claim holds from now on, and the Answer when a
	// request like this was completed. It may return ErrKeyReused, ErrKeyInFlight
	// and ErrKeyOfDeleted.
	ClaimKey(ctx context.Context, c Claim) (*Answer, error)
	// ReleaseKey ends a claim that was not completed.
	ReleaseKey(ctx context.Context, c Claim) error
	// PurgeKeys forgets all that have expired, and says how many.
	PurgeKeys(ctx context.Context, now time.Time) (int64, error)
}

// keyOf reads the Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): a
// quoted string, or, as many send it, the bare value. "" is no key.
func keyOf(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := strings.Trim(values[0], " \t")
	if item := quotedKey.FindStringSubmatch(key); item != nil {
		key = unescape.Replace(item[1])
	} else if strings.HasPrefix(key, `"`) || strings.ContainsFunc(key, hidden) {
		return "", errKey
	}
	if len(values) > 1 || key == "" || len(key) > maxKey {
		return "", errKey
	}
	return key, nil
}

// quotedKey is a string with parameters, which mean nothing (RFC 9651, sections
// 3.3.3 and 3.1.2); what a parameter is worth is not looked at closely.
var quotedKey = regexp.MustCompile(
	`^"((?:[ !#-\[\]-~]|\\["\\])*)"(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[ !#-\[\]-~]|\\["\\])*"|[!#-+\--:<-~]+))?)*$`)

// unescape undoes the two escapes of a quoted string.
var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

func hidden(r rune) bool { return r <= ' ' || r > '~' }
