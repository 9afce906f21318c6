package httpapi

import (
	"net/http"
	"strings"
)

// oauthPath is where the routes lie whose callers know the words of OAuth.
const oauthPath = "/oauth/"

// OAuth is what an error answer below /oauth/ has besides: the members that RFC 6749,
// section 5.2, gives it.
type OAuth struct {
	Error       string `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
}

// oauthOf returns p in the words of OAuth. The standard has words for few things that
// can go wrong: all that the caller can mend in the request is an invalid_request.
func oauthOf(p Problem) OAuth {
	o := OAuth{Error: "invalid_request", Description: strings.Map(describable, p.Detail)}
	switch {
	case p.Status == http.StatusUnauthorized:
		o.Error = "invalid_client"
	case p.Status == http.StatusForbidden:
		o.Error = "unauthorized_client"
	case p.Status == http.StatusTooManyRequests, p.Status == http.StatusServiceUnavailable:
		o.Error = "temporarily_unavailable" // of section 4.1.2.1, as is the next
	case p.Status >= http.StatusInternalServerError:
		o.Error = "server_error"
	}
	return o
}

// describable puts what may not stand in an error_description into what may.
func describable(r rune) rune {
	switch {
	case r == '"' || r == '\\':
		return '\''
	case r < ' ' || r > '~':
		return '?'
	default:
		return r
	}
}
