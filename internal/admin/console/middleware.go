package console

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/admin/session"
	"casbroker/internal/httpapi"
)

// policy is the Content-Security-Policy of all pages: no content of other sites, no inline
// scripts and styles, and no page may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// chain returns the middleware of a route: secure, then those of more that are not nil.
func (h *Handler) chain(more ...echo.MiddlewareFunc) []echo.MiddlewareFunc {
	all := []echo.MiddlewareFunc{h.secure}
	for _, m := range more {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// secure sets the security headers of all pages, and answers errors with a page.
func (h *Handler) secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cache-Control", "no-store")
		// With no-referrer, browsers would also hide the Origin of forms.
		header.Set("Referrer-Policy", "same-origin")
		err := next(c)
		if err == nil || c.Response().Committed {
			return err
		}
		r := reply{page: "problem", body: newProblemBody(c)}
		if renderErr := h.render(c, r, err); renderErr != nil {
			return renderErr
		}
		return err
	}
}

// onSignInPage reads the sign-in form, and shows an error above it.
func (h *Handler) onSignInPage(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		err := readForm(c.Response(), r)
		if err == nil {
			err = next(c)
		}
		if err == nil {
			return nil
		}
		form := httpapi.FormParams(r.PostForm)
		b := signInBody{Next: safeNext(form.Text("next"))}
		return h.answer(c, reply{page: "sign-in", title: "Sign in", body: b}, err)
	}
}

// requireSession lets requests with a session pass, and redirects all others to the
// sign-in page, which returns to where they were.
func (h *Handler) requireSession(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		s, err := h.Sessions.Identify(c)
		switch {
		case err != nil:
			return err
		case s != nil:
			return next(c)
		}
		r := c.Request()
		var ended, lost string
		if session.HasCookie(c) {
			ended = "1"
		}
		if r.Method != http.MethodGet {
			lost = "1"
		}
		return c.Redirect(http.StatusSeeOther, withQuery(signInPath, "next", nextAfterSignIn(r), "ended", ended, "lost", lost))
	}
}

// nextAfterSignIn returns the URL to open after signing in. The path of every form also
// has a page, except for signing out.
func nextAfterSignIn(r *http.Request) string {
	if r.URL.Path == signOutPath {
		return ""
	}
	return safeNext(r.URL.RequestURI())
}

// newProblemBody returns how a failed request can be retried.
func newProblemBody(c echo.Context) problemBody {
	b := problemBody{Retry: retryURL(c.Request())}
	b.Form, b.Resend = resendForm(c.Response(), c.Request())
	return b
}

// retryURL returns the URL of the page that r asks for, "" for a request that changes
// something.
func retryURL(r *http.Request) string {
	if r.Method != http.MethodGet {
		return ""
	}
	return safeNext(r.URL.RequestURI())
}

// origins trusts no other origin: forms of other sites are not offered for resending.
var origins = http.NewCrossOriginProtection()

// resendForm returns the form of r, sorted by name, and whether it can be sent again. A
// sign-in cannot, so that no page contains the key.
func resendForm(w http.ResponseWriter, r *http.Request) (form []formField, ok bool) {
	if r.Method != http.MethodPost || r.URL.Path == signInPath || origins.Check(r) != nil {
		return nil, false
	}
	if r.PostForm == nil && readForm(w, r) != nil {
		return nil, false
	}
	for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
		form = append(form, formField{name, r.PostForm.Get(name)})
	}
	return form, true
}

// setRetryAfter tells programs when to retry, if that is known.
func setRetryAfter(c echo.Context, d time.Duration) {
	if d > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
}
