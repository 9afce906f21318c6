package upstream

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/secret"
	"casbroker/internal/token"
)

var _ token.Minter = (*Client)(nil)

// What can be wrong with a response to Mint. None of these quotes it.
var (
	errShape  = errors.New("the body is not the documented JSON object")
	errToken  = errors.New("access_token is not at_ followed by A-Z a-z 0-9 . _ ~ -, 4096 bytes at most")
	errExpiry = errors.New("expires_in is not a number of seconds, or less than 1")
)

// Mint requests an access token that lives for life, rounded down to whole minutes and
// limited to the vendor's bounds of 1 and 60. The returned ExpiresIn is never longer. Its
// errors are the faults that this package declares.
func (c *Client) Mint(ctx context.Context, life time.Duration) (token.Minted, error) {
	requested := min(max(life.Truncate(time.Minute), time.Minute), token.MaxTTL)
	body := `{"expiry_minutes":` + strconv.Itoa(int(requested/time.Minute)) + `}`
	var m token.Minted
	res, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/token", body: []byte(body), read: func(body []byte) (err error) {
		m, err = decodeToken(body, requested)
		return err
	}})
	if err != nil {
		return token.Minted{}, err
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
		AccessToken string         `json:"access_token"`
		ExpiresIn   jsontext.Value `json:"expires_in"` // seconds
	}
	// The decoder's own error quotes its input, so it is not returned.
	if json.Unmarshal(body, &t) != nil {
		return token.Minted{}, errShape
	}
	if !token.WellFormed(t.AccessToken) {
		return token.Minted{}, errToken
	}
	life, err := readLife(t.ExpiresIn, requested)
	if err != nil {
		return token.Minted{}, err
	}
	return token.Minted{Value: secret.Text(t.AccessToken), ExpiresIn: life}, nil
}

// readLife returns the life of a token, in whole seconds, from expires_in: a number, or a
// text with a number, as different documents of the vendor have it. Without it, the vendor
// is taken to have granted what was requested; what is longer is not relied on.
func readLife(v jsontext.Value, requested time.Duration) (time.Duration, error) {
	if isNull(v) {
		return requested, nil
	}
	if v.Kind() == jsontext.KindString {
		var text string
		if json.Unmarshal(v, &text) != nil {
			return 0, errExpiry
		}
		v = jsontext.Value(text)
	}
	if v.Kind() != jsontext.KindNumber || !v.IsValid() {
		return 0, errExpiry
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(v)), 64)
	switch {
	case seconds < 1:
		return 0, errExpiry
	case err != nil || seconds >= requested.Seconds(): // too large for a float
		return requested, nil
	default:
		return time.Duration(seconds) * time.Second, nil
	}
}
