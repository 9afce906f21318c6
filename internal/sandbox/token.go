package sandbox

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

const tokenPrefix = "at_"

// The longest life of an access token, which is also the default: the vendor's.
const maxMinutes = 60

// token is an access token that was handed out.
type token struct {
	account *account
	expires time.Time
}

type tokens struct {
	kept   *shelf[token]
	issued atomic.Int64
}

// identify finds out who sent r, and holds the public key to its limit.
func (s *Sandbox) identify(r *http.Request) (*call, error) {
	credential := r.Header.Get("x-api-key")
	c := &call{r: r, base: s.baseURL(r), byToken: strings.HasPrefix(credential, tokenPrefix)}
	switch {
	case credential == "":
		return nil, errNoKey
	case c.byToken:
		t, found := s.tokens.kept.get(credential)
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
	if seconds := c.account.limited(s.opts.Now()); seconds > 0 {
		return nil, &refusal{
			status: http.StatusTooManyRequests, code: "RATE_LIMITED",
			msg: "Rate limit exceeded, try again later", retryAfter: seconds,
		}
	}
	return c, nil
}

// mint hands out an access token.
func (s *Sandbox) mint(c *call) (reply, error) {
	var req struct {
		ExpiryMinutes *int `json:"expiry_minutes"`
	}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, detail("expiry_minutes must be an integer")
	}
	minutes := maxMinutes
	if req.ExpiryMinutes != nil {
		minutes = *req.ExpiryMinutes
	}
	if minutes < 1 || minutes > maxMinutes {
		return reply{}, detail("expiry_minutes must be between 1 and 60")
	}
	id := newID(tokenPrefix)
	s.tokens.kept.put(id, token{account: c.account, expires: s.opts.Now().Add(time.Duration(minutes) * time.Minute)})
	s.tokens.issued.Add(1)
	return ok(struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"` // seconds
	}{id, "api_key", minutes * 60})
}

// verdict is what the vendor says about a token.
type verdict struct {
	Valid     bool   `json:"valid"`
	MaskedKey string `json:"masked_api_key,omitempty"`
	Error     string `json:"error,omitempty"`
	ExpiresAt string `json:"expires_at,omitempty"`
}

// verifyToken says whether a token is good. The newer documents send the token
// itself as x-api-key, the older ones the API key there and the token in the
// body, and get expires_at as well.
func (s *Sandbox) verifyToken(w http.ResponseWriter, r *http.Request) {
	credential := r.Header.Get("x-api-key")
	if strings.HasPrefix(credential, tokenPrefix) {
		v, _ := s.judge(credential)
		writeJSON(w, http.StatusOK, v)
		return
	}
	if _, err := s.identify(r); err != nil {
		s.writeError(w, err)
		return
	}
	var req struct {
		AccessToken string `json:"access_token"`
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSmall)
	if err := readJSON(r, &req); err != nil {
		s.writeRefusal(w, detail("Request body is not the JSON expected here"))
		return
	}
	v, t := s.judge(req.AccessToken)
	if v.Valid {
		v.ExpiresAt = t.expires.UTC().Format(time.RFC3339)
	}
	writeJSON(w, http.StatusOK, v)
}

func (s *Sandbox) judge(id string) (verdict, token) {
	t, found := s.tokens.kept.get(id)
	switch {
	case !found:
		return verdict{Error: "Invalid access token"}, t
	case !s.opts.Now().Before(t.expires):
		return verdict{Error: "Token has expired"}, t
	default:
		return verdict{Valid: true, MaskedKey: t.account.masked()}, t
	}
}
