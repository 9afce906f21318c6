package auth

import (
	"net/http"
	"strings"
)

// identify returns the caller of r. A bearer token takes precedence over the cookie,
// since browsers send cookies by themselves; query parameters are ignored. changes says
// that the call changes something, whatever its method.
func (a *Authenticator) identify(r *http.Request, changes bool) (*Principal, error) {
	if who, err := a.ByBearer(r); who != nil || err != nil {
		return who, err
	}
	if a.cookie == "" {
		return nil, ErrUnauthenticated
	}
	return a.byCookie(r, changes)
}

// ByBearer returns the caller that the Authorization header of r names, nil if it has no
// bearer token. Cookies are ignored.
func (a *Authenticator) ByBearer(r *http.Request) (*Principal, error) {
	token, err := bearer(r.Header)
	switch {
	case err != nil || token == "":
		return nil, err
	case isServiceKey(token):
		return a.byServiceKey(token)
	default:
		return a.Authenticate(r.Context(), token)
	}
}

// bearer returns the token of the Authorization header (RFC 6750, section 2.1), or "" if
// there is no such header or it has another scheme.
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

// HasBearer reports whether a request with this header is authenticated by a bearer token.
// A page of another origin cannot send one without a preflight, whatever the media type.
func HasBearer(h http.Header) bool {
	token, err := bearer(h)
	return err == nil && token != ""
}

// byCookie authenticates by the cookie. Browsers send it whichever page makes the call,
// so a state-changing call must come from a trusted origin. A missing cookie is
// reported before a wrong origin.
func (a *Authenticator) byCookie(r *http.Request, changes bool) (*Principal, error) {
	cookies := r.CookiesNamed(a.cookie)
	switch {
	case len(cookies) > 1: // a sibling domain can set one next to ours
		return nil, errManyCookies
	case len(cookies) == 0 || cookies[0].Value == "":
		return nil, ErrUnauthenticated
	}
	checked := r
	if changes && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		post := *r // a GET is never refused
		post.Method = http.MethodPost
		checked = &post
	}
	if err := a.origins.Check(checked); err != nil {
		return nil, ErrCrossOrigin.Because(err)
	}
	return a.Authenticate(r.Context(), cookies[0].Value)
}
