package auth

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
)

// originCheck says which calls with a cookie have to come from a page of a trusted origin.
type originCheck int

const (
	onChange   originCheck = iota // those whose method changes something
	onEachCall                    // all
	withProof                     // all; those that read need the headers by which a browser proves it
)

// identify returns the caller of r. A bearer token takes precedence over the cookie,
// since browsers send cookies by themselves; query parameters are ignored.
func (a *Authenticator) identify(r *http.Request, check originCheck) (*Principal, error) {
	if who, err := a.ByBearer(r); who != nil || err != nil {
		return who, err
	}
	if a.cookie == "" {
		return nil, ErrUnauthenticated
	}
	return a.byCookie(r, check)
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
func (a *Authenticator) byCookie(r *http.Request, check originCheck) (*Principal, error) {
	cookies := r.CookiesNamed(a.cookie)
	cookies = slices.DeleteFunc(cookies, func(c *http.Cookie) bool { return c.Value == "" })
	if len(cookies) == 0 {
		return nil, ErrUnauthenticated
	}
	if err := a.checkOrigin(r, check); err != nil {
		return nil, err
	}
	return a.byOneOf(r.Context(), cookies)
}

// maxCookies is how many cookies of the same name are verified for a request.
const maxCookies = 4

// byOneOf authenticates by the one of cookies that verifies: another host of the same site can
// add cookies of the same name. It refuses cookies of different callers, since it cannot tell
// which of them the browser's user is.
func (a *Authenticator) byOneOf(ctx context.Context, cookies []*http.Cookie) (*Principal, error) {
	if len(cookies) > maxCookies {
		return nil, errManyCookies
	}
	var found *Principal
	var failed error
	for _, cookie := range cookies {
		who, err := a.Authenticate(ctx, cookie.Value)
		switch {
		case err != nil:
			failed = cmp.Or(failed, err)
		case found != nil && who.Subject != found.Subject:
			return nil, errManyCookies
		case found == nil:
			found = who
		}
	}
	if found == nil {
		return nil, failed
	}
	return found, nil
}

// checkOrigin returns ErrCrossOrigin if r comes from a page of another origin and check
// forbids that.
func (a *Authenticator) checkOrigin(r *http.Request, check originCheck) error {
	site, origin, refusal := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin"), ErrCrossOrigin
	if reads := r.Method == http.MethodGet || r.Method == http.MethodHead; reads && check != onChange {
		if check == withProof {
			refusal = errUnproven
			if site == "" && origin == "" {
				return refusal
			}
		}
		post := *r // a GET is never refused
		post.Method = http.MethodPost
		r = &post
	}
	origins := a.pages
	if check == withProof {
		origins = a.trusted
	}
	err := origins.Check(r)
	if err == nil {
		return nil
	}
	if site == "" {
		refusal = refusal.WithNotef("Origin %.100q, Host %.100q: a proxy must pass the Host header on unchanged", origin, r.Host)
	}
	return refusal.Because(err)
}
