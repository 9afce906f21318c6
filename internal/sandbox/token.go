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

// authenticate returns r as a call of the account that sent it. It applies the
// account's rate limit.
func (s *Sandbox) authenticate(r *http.Request) (*call, error) {
	if s.opts.OnPremise {
		return &call{r: r, base: s.baseURL(r), account: s.local}, nil
	}
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
	if err := c.account.checkRate(s.opts.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

// mint issues an access token. For PublicKey an invalid lifetime means 60 minutes.
func (s *Sandbox) mint(c *call) (reply, error) {
	minutes, err := readMinutes(c.r)
	if err != nil && c.account.public {
		minutes, err = maxMinutes, nil
	}
	if err != nil {
		return reply{}, err
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

// readMinutes reads the lifetime of a token from the request's body.
func readMinutes(r *http.Request) (int, error) {
	req := struct {
		ExpiryMinutes *int `json:"expiry_minutes"`
	}{}
	switch err := readJSON(r, &req); {
	case err != nil:
		return 0, detailError("expiry_minutes must be an integer")
	case req.ExpiryMinutes == nil:
		return maxMinutes, nil
	case *req.ExpiryMinutes < 1 || *req.ExpiryMinutes > maxMinutes:
		return 0, detailError("expiry_minutes must be between 1 and 60")
	}
	return *req.ExpiryMinutes, nil
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
		status, t := s.checkToken(credential)
		if status.Valid {
			if err := t.account.checkRate(s.opts.Now()); err != nil {
				s.writeError(w, err)
				return
			}
		}
		writeJSON(w, http.StatusOK, status)
		return
	}
	c, err := s.authenticate(r)
	if err != nil {
		s.writeError(w, err)
		return
	}
	if c.account.public {
		writeJSON(w, http.StatusOK, tokenStatus{Valid: true, MaskedKey: c.account.maskedKey()})
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
