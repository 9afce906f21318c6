package auth

import (
	"net/http"
	"strings"
)

// identify returns who makes r. A bearer token goes before the cookie, since it
// was put there on purpose; a query parameter is never looked at.
func (a *Authenticator) identify(r *http.Request) (*Principal, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return nil, err
	}
	if token != "" {
		return a.Authenticate(r.Context(), token)
	}
	if a.cookie == "" {
		return nil, ErrUnauthenticated
	}
	return a.byCookie(r)
}

// bearer returns the token of the Authorization header (RFC 6750, section 2.1),
// "" when there is none or it is of another scheme.
func bearer(h http.Header) (string, error) {
	values := h["Authorization"]
	if len(values) > 1 {
		return "", errManyHeaders
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	if token = strings.TrimLeft(token, " "); token == "" {
		return "", errMalformed
	}
	return token, nil
}

// byCookie takes the cookie, which browsers send whichever page makes the call,
// so a call that changes something has to come from a page that may make it. Who
// sends no token of its own is told of the missing token first.
func (a *Authenticator) byCookie(r *http.Request) (*Principal, error) {
	cookies := r.CookiesNamed(a.cookie)
	switch {
	case len(cookies) > 1: // a neighbouring site can plant one beside ours
		return nil, errManyCookies
	case len(cookies) == 0 || cookies[0].Value == "":
		return nil, ErrUnauthenticated
	}
	if err := a.origins.Check(r); err != nil {
		return nil, ErrCrossOrigin.Because(err)
	}
	return a.Authenticate(r.Context(), cookies[0].Value)
}
