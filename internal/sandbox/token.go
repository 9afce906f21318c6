package sandbox

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

const tokenPrefix = "at_"

// maxMinutes is the vendor's longest and default lifetime of an access token.
const maxMinutes = 60

// token is an issued access token.
type token struct {
	account *account
	expires time.Time
}

type tokens struct {
	byID   *store[token]
	issued atomic.Int64 // number of tokens minted
}

// authenticate returns r as a call of the account that sent it. It applies the rate
// limit of the public key.
func (s *Sandbox) authenticate(r *http.Request) (*call, error) {
	credential := r.Header.Get("x-api-key")
	c := &call{r: r, base: s.baseURL(r), byToken: strings.HasPrefix(credential, tokenPrefix)}
	switch {
	case credential == "":
		return nil, errNoKey
	case c.byToken:
		t, found := s.tokens.byID.get(credential)
		if !found {
			return nil, errBadKey
		}
		if !s.opts.Now().Before(t.expires) {
			return nil, errExpired
		}
		c.account = t.account
	default:
		c.account = s.accounts[credential]
	}
	if c.account == nil {
		return nil, errBadKey
	}
	if retryAfter := c.account.checkRate(s.opts.Now()); retryAfter > 0 {
		return nil, &apiError{
			status: http.StatusTooManyRequests, code: "RATE_LIMITED",
			msg: "Rate limit exceeded, try again later", retryAfter: retryAfter,
		}
	}
	return c, nil
}

// mint issues an access token.
func (s *Sandbox) mint(c *call) (reply, error) {
	var req struct {
		ExpiryMinutes *int `json:"expiry_minutes"`
	}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, detailError("expiry_minutes must be an integer")
	}
	minutes := maxMinutes
	if req.ExpiryMinutes != nil {
		minutes = *req.ExpiryMinutes
	}
	if minutes < 1 || minutes > maxMinutes {
		return reply{}, detailError("expiry_minutes must be between 1 and 60")
	}
	id := newID(tokenPrefix)
	s.tokens.byID.put(id, token{account: c.account, expires: s.opts.Now().Add(time.Duration(minutes) * time.Minute)})
	s.tokens.issued.Add(1)
	return ok(struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"` // seconds
	}{id, "api_key", minutes * 60})
}

// tokenStatus is the answer of the calls that verify a token.
type tokenStatus struct {
	Valid     bool   `json:"valid"`
	MaskedKey string `json:"masked_api_key,omitempty"`
	Error     string `json:"error,omitempty"`
	ExpiresAt string `json:"expires_at,omitempty"`
}

// verifyToken answers whether a token is valid. The vendor's newer documents send the
// token as x-api-key. The older ones send the API key there and the token in the
// body, and their answer also has expires_at.
func (s *Sandbox) verifyToken(w http.ResponseWriter, r *http.Request) {
	credential := r.Header.Get("x-api-key")
	if strings.HasPrefix(credential, tokenPrefix) {
		status, _ := s.checkToken(credential)
		writeJSON(w, http.StatusOK, status)
		return
	}
	if _, err := s.authenticate(r); err != nil {
		s.writeError(w, err)
		return
	}
	var req struct {
		AccessToken string `json:"access_token"`
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxJSON)
	if err := readJSON(r, &req); err != nil {
		s.writeAPIError(w, detailError("Request body is not the JSON expected here"))
		return
	}
	status, t := s.checkToken(req.AccessToken)
	if status.Valid {
		status.ExpiresAt = t.expires.UTC().Format(time.RFC3339)
	}
	writeJSON(w, http.StatusOK, status)
}

// checkToken returns the status of the token with this id, and the token if it exists.
func (s *Sandbox) checkToken(id string) (tokenStatus, token) {
	t, found := s.tokens.byID.get(id)
	switch {
	case !found:
		return tokenStatus{Error: "Invalid access token"}, t
	case !s.opts.Now().Before(t.expires):
		return tokenStatus{Error: "Token has expired"}, t
	default:
		return tokenStatus{Valid: true, MaskedKey: t.account.maskedKey()}, t
	}
}
