package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"casbroker/internal/fault"
)

// Token is what a valid token says.
type Token struct {
	Subject   string
	GrantID   string
	ExpiresAt time.Time
	Version   int64 // of access, when the token was made
	Features  []string
}

// Tokens opens tokens. Open asks nobody: the token itself has all that is needed. It
// returns an error for a token that was not made by this broker, and for one that is
// damaged. A Token that has expired is no error.
type Tokens interface {
	Open(value string) (Token, error)
}

// AccessPolicy knows who is blocked and which tokens were revoked.
type AccessPolicy interface {
	// Admit returns a fault if subject is blocked, or if the latest changes are unknown.
	Admit(subject string) (version int64, err error)
	// Valid reports whether the token of grantID, which carries version, was not revoked.
	Valid(subject, grantID string, version int64) bool
	// CatchUp returns once all changes up to version are known.
	CatchUp(ctx context.Context, version int64) error
}

var (
	// ErrToken is returned for a call with a token that is not valid. Its detail says why.
	ErrToken = fault.New(fault.Unauthenticated, "invalid_token", reasonInvalid)

	errNoToken = fault.New(fault.Unauthenticated, "unauthenticated", "Send an access token in the header x-api-key.")
)

// The reasons why a token is not accepted, as the vendor words them.
const (
	reasonInvalid = "Invalid access token"
	reasonExpired = "Token has expired"
	reasonRevoked = "Token has been revoked"
)

var errTwoTokens = errors.New("two tokens in one request")

// authenticate returns the token of r, if that is authentic, has not expired, was not
// revoked, and its user is not blocked.
func (h *Handler) authenticate(r *http.Request) (Token, error) {
	value, err := credential(r.Header)
	if err != nil {
		return Token{}, err
	}
	t, err := h.Tokens.Open(value)
	if err != nil {
		return Token{}, ErrToken.Because(err)
	}
	if !h.Now().Before(t.ExpiresAt) {
		return Token{}, ErrToken.Withf(reasonExpired)
	}
	if _, err := h.Access.Admit(t.Subject); err != nil {
		return t, err
	}
	if h.valid(r.Context(), t) {
		return t, nil
	}
	return t, ErrToken.Withf(reasonRevoked)
}

// valid reports whether t was not revoked. A token of another replica may be newer than
// what this one knows; only then the database is asked.
func (h *Handler) valid(ctx context.Context, t Token) bool {
	if h.Access.Valid(t.Subject, t.GrantID, t.Version) {
		return true
	}
	err := h.Access.CatchUp(ctx, t.Version)
	return err == nil && h.Access.Valid(t.Subject, t.GrantID, t.Version)
}

// credential returns the token in x-api-key, or else in Authorization. It returns
// errNoToken if there is none, and ErrToken if there is more than one.
func credential(header http.Header) (string, error) {
	keys, authorization := header["X-Api-Key"], header["Authorization"]
	switch {
	case len(keys) > 1 || len(keys) == 0 && len(authorization) > 1:
		return "", ErrToken.Because(errTwoTokens)
	case len(keys) == 1:
		return keys[0], nil
	case len(authorization) == 1:
		scheme, value, _ := strings.Cut(authorization[0], " ")
		if strings.EqualFold(scheme, "bearer") {
			return strings.TrimSpace(value), nil
		}
	}
	return "", errNoToken
}

// may reports whether t has feature.
func (t Token) may(feature string) bool { return slices.Contains(t.Features, feature) }

// verification answers whether a token is valid, in the vendor's shape. The key that is
// masked is the caller's token: nothing is said about the API key.
type verification struct {
	Valid     bool       `json:"valid"`
	MaskedKey string     `json:"masked_api_key,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// verify answers whether the token of r is valid. It returns an error only if that cannot
// be told.
func (h *Handler) verify(r *http.Request) (verification, error) {
	t, err := h.authenticate(r)
	f, isFault := errors.AsType[*fault.Fault](err)
	switch {
	case err == nil:
		value, _ := credential(r.Header)
		until := t.ExpiresAt.UTC()
		return verification{Valid: true, MaskedKey: mask(value), ExpiresAt: &until}, nil
	case isFault && (f.Kind == fault.Unauthenticated || f.Kind == fault.Forbidden):
		return verification{Error: f.Detail}, nil
	default:
		return verification{}, err
	}
}

// mask returns the first 4 and the last 4 bytes of a token, which has more than 60.
func mask(value string) string {
	if len(value) < 16 {
		return "****"
	}
	return value[:4] + "****" + value[len(value)-4:]
}
