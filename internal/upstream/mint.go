package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/secret"
	"casbroker/internal/token"
)

var _ token.Minter = (*Client)(nil)

const (
	// slack is how much longer than asked for a token may live: room for a
	// vendor that rounds up.
	slack = time.Minute
)

// What can be wrong with a token answer. None of these quotes it.
var (
	errShape  = errors.New("the body is not the documented JSON object")
	errToken  = errors.New("access_token is not at_ and then A-Z a-z 0-9 - . _ ~, 4096 bytes at most")
	errExpiry = errors.New("expires_in is not from 1 to 3600 seconds, or longer than was asked for")
)

// Mint asks the vendor for an access token that lives for life, in whole minutes
// rounded down, 1 at least and 60 at most: the vendor's bounds. The ExpiresIn that
// comes back is never more than that. Its errors are the faults that this package
// declares.
func (c *Client) Mint(ctx context.Context, life time.Duration) (token.Minted, error) {
	minutes := min(max(life.Truncate(time.Minute), time.Minute), token.MaxTTL)
	body := `{"expiry_minutes":` + strconv.Itoa(int(minutes/time.Minute)) + `}`
	a, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/token", body: []byte(body)})
	if err != nil {
		return token.Minted{}, err
	}
	m, err := decodeToken(a.body, minutes)
	if err != nil {
		return token.Minted{}, ErrBadAnswer.Because(fmt.Errorf("token answer of vendor request %q: %w", a.requestID, err))
	}
	m.RequestID = a.requestID
	c.opts.Log.DebugContext(ctx, "access token minted", "life", m.ExpiresIn, "upstream_request_id", a.requestID)
	return m, nil
}

// decodeToken reads the answer of POST /v1/token to a request for asked. Fields
// that we do not know are passed over, token_type among them: the vendor's
// documents call it "api_key" and nothing depends on it.
func decodeToken(body []byte, asked time.Duration) (token.Minted, error) {
	var t struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	// The decoder's own error quotes what it read, so it is not passed on.
	if json.Unmarshal(body, &t) != nil {
		return token.Minted{}, errShape
	}
	if !token.WellFormed(t.AccessToken) {
		return token.Minted{}, errToken
	}
	if t.ExpiresIn < 1 || t.ExpiresIn > int64(token.MaxTTL/time.Second) {
		return token.Minted{}, errExpiry
	}
	expires := time.Duration(t.ExpiresIn) * time.Second
	if expires > asked+slack {
		return token.Minted{}, errExpiry
	}
	return token.Minted{Value: secret.Text(t.AccessToken), ExpiresIn: min(expires, asked)}, nil
}
