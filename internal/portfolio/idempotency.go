package portfolio

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

const (
	// keyTTL is how long the answer to a request with a key is stored.
	keyTTL = 24 * time.Hour
	// maxKey is the maximum length of a key, in bytes.
	maxKey = 255
)

// Faults of a request with an Idempotency-Key.
var (
	// ErrKeyReused: the key was used with another body.
	ErrKeyReused = fault.New(fault.Unprocessable, "idempotency_key_reused",
		"This Idempotency-Key was used with another body; use a new key for each payload.")
	// ErrKeyInFlight: an earlier request with the key has not ended yet.
	ErrKeyInFlight = fault.New(fault.Conflict, "idempotency_in_flight",
		"A request with this Idempotency-Key is still in progress; try again in a moment.").After(2 * time.Second)
	// ErrSavePending: the answer to a request with the key is stored, but not saved yet.
	ErrSavePending = httpapi.ErrSavePending
	// ErrKeyOfDeleted: the portfolio saved with the key was deleted, and its answer too.
	ErrKeyOfDeleted = fault.New(fault.Conflict, "idempotency_answer_deleted",
		"The portfolio saved with this Idempotency-Key has been deleted; use a new key to save it again.")

	errKey = fault.New(fault.Invalid, "invalid_idempotency_key",
		`Idempotency-Key must be one string of 1 to 255 ASCII characters, such as "0f8b2c1e-6a3d".`)
)

// Claim is a request's lease of an Idempotency-Key.
type Claim struct {
	Subject string
	Route   string // each route has its own keys
	Key     string
	Body    [32]byte // SHA-256 of the body
	// Streamed is set for a claim made before the body is received. It completes with a Body.
	Streamed bool
	Holder   string    // identifies this request among others with the same key
	At       time.Time // when the key was claimed
	Until    time.Time // end of the lease, which is extended while the request runs
	Expires  time.Time // when the key and its answer may be deleted
	// Replaces is an ended lease that this claim takes the place of; nil for none.
	Replaces *EndedLease
}

// EndedLease is the error of a claim of a key whose lease has ended, by the clock of the
// caller. Its request may have died, or only its extensions may be late.
type EndedLease struct {
	Holder string
	Until  time.Time
}

// Error describes the lease.
func (*EndedLease) Error() string { return "the lease of the idempotency key has ended" }

// KeyStore stores Idempotency-Keys. Store.SavePortfolio completes a claim.
type KeyStore interface {
	// ClaimKey claims a key. It returns nil if the caller has the lease, and the earlier
	// SaveResult if the same request was completed before. It may return ErrKeyReused,
	// ErrKeyInFlight, ErrSavePending and ErrKeyOfDeleted, and for a claim that is Streamed ErrKeyAnswered. It
	// returns an *EndedLease for a key with an ended lease that c does not replace.
	ClaimKey(ctx context.Context, c Claim) (*SaveResult, error)
	// ExtendKey moves the end of the lease of c, and sets the body if that is not stored yet. It
	// returns false if c has lost the key.
	ExtendKey(ctx context.Context, c Claim, until time.Time) (bool, error)
	// ReleaseKey deletes a claim that was not completed.
	ReleaseKey(ctx context.Context, c Claim) error
	// PurgeKeys deletes expired keys and returns their number.
	PurgeKeys(ctx context.Context, now time.Time) (int64, error)
}

// ReadKey returns the Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): a
// quoted string, or the bare value, which many clients send. It returns "" without one.
func ReadKey(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := strings.Trim(values[0], " \t")
	if item := quotedKey.FindStringSubmatch(key); item != nil {
		key = unescape.Replace(item[1])
	} else if strings.HasPrefix(key, `"`) || strings.ContainsFunc(key, notVisibleASCII) {
		return "", errKey
	}
	if len(values) > 1 || key == "" || len(key) > maxKey {
		return "", errKey
	}
	return key, nil
}

// quotedKey matches a string with optional parameters (RFC 9651, sections 3.3.3 and
// 3.1.2). Parameters are ignored, so their values are only roughly matched.
var quotedKey = regexp.MustCompile(
	`^"((?:[ !#-\[\]-~]|\\["\\])*)"(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[ !#-\[\]-~]|\\["\\])*"|[!#-+\--:<-~]+))?)*$`)

// unescape resolves the two escape sequences of a quoted string.
var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

func notVisibleASCII(r rune) bool { return r <= ' ' || r > '~' }
