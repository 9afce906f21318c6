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

// slack is how much longer than requested a token may live, for a vendor that rounds up.
const slack = time.Minute

// What can be wrong with a response to Mint. None of these quotes it.
var (
	errShape  = errors.New("the body is not the documented JSON object")
	errToken  = errors.New("access_token is not at_ followed by A-Z a-z 0-9 . _ ~ -, 4096 bytes at most")
	errExpiry = errors.New("expires_in is not from 1 to 3600 seconds, or longer than requested")
)

// Mint requests an access token that lives for life, rounded down to whole minutes and
// limited to the vendor's bounds of 1 and 60. The returned ExpiresIn is never longer. Its
// errors are the faults that this package declares.
func (c *Client) Mint(ctx context.Context, life time.Duration) (token.Minted, error) {
	requested := min(max(life.Truncate(time.Minute), time.Minute), token.MaxTTL)
	body := `{"expiry_minutes":` + strconv.Itoa(int(requested/time.Minute)) + `}`
	res, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/token", body: []byte(body)})
	if err != nil {
		return token.Minted{}, err
	}
	m, err := decodeToken(res.body, requested)
	if err != nil {
		return token.Minted{}, ErrBadAnswer.Because(fmt.Errorf("response to vendor request %q: %w", res.requestID, err))
	}
	m.RequestID = res.requestID
	c.opts.Log.DebugContext(ctx, "access token minted", "life", m.ExpiresIn, "upstream_request_id", res.requestID)
	return m, nil
}

// decodeToken decodes the response of POST /v1/token to a request for a life of
// requested. Unknown members are ignored, and so is token_type: the vendor documents it
// as "api_key", and nothing depends on it.
func decodeToken(body []byte, requested time.Duration) (token.Minted, error) {
	var t struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	// The decoder's own error quotes its input, so it is not returned.
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
	if expires > requested+slack {
		return token.Minted{}, errExpiry
	}
	return token.Minted{Value: secret.Text(t.AccessToken), ExpiresIn: min(expires, requested)}, nil
}
