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

// policy is the Content-Security-Policy of all pages: nothing from elsewhere, nothing
// written into the page, and nobody who frames it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// before is what a request of the console passes: first what makes a page of every
// error, then those of through that are not nil.
func (h *Handler) before(through ...echo.MiddlewareFunc) []echo.MiddlewareFunc {
	all := []echo.MiddlewareFunc{h.guard}
	for _, m := range through {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// guard sets the headers of all pages, and answers with a page where something fails.
func (h *Handler) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cache-Control", "no-store")
		// With no-referrer browsers would keep the Origin of forms to themselves, too.
		header.Set("Referrer-Policy", "same-origin")
		err := next(c)
		if err == nil || c.Response().Committed {
			return err
		}
		r := reply{page: "problem", body: problemOf(c)}
		if failed := h.render(c, r, err); failed != nil {
			return failed
		}
		return err
	}
}

// problemOf is what can be done about the failure of a request.
func problemOf(c echo.Context) problemBody {
	b := problemBody{Again: again(c.Request())}
	b.Form, b.Resend = resend(c.Response(), c.Request())
	return b
}

// again is the address of a page that may be opened once more, "" for what changes
// something.
func again(r *http.Request) string {
	if r.Method != http.MethodGet {
		return ""
	}
	return local(r.URL.RequestURI())
}

// origins has no trusted ones: what another site sent is not sent again.
var origins = http.NewCrossOriginProtection()

// resend returns the form that r sends, in the order of its names, so that it can be
// sent once more, and whether there is one. What signs in is not kept on a page.
func resend(w http.ResponseWriter, r *http.Request) (form []choice, ok bool) {
	if r.Method != http.MethodPost || r.URL.Path == signInPath || origins.Check(r) != nil {
		return nil, false
	}
	if r.PostForm == nil && readForm(w, r) != nil {
		return nil, false
	}
	for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
		form = append(form, choice{name, r.PostForm.Get(name)})
	}
	return form, true
}

// fresh lets browsers keep a file, if they ask each time whether it is still good.
func fresh(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-cache")
		return next(c)
	}
}

// signedIn lets a request pass with whose session it is, and asks everybody else to
// sign in and then to go on where they were.
func (h *Handler) signedIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		k, err := h.Sessions.Identify(c)
		switch {
		case err != nil:
			return err
		case k != nil:
			return next(c)
		}
		r := c.Request()
		ended := ""
		if session.Token(c) != "" || r.Method != http.MethodGet {
			ended = "1"
		}
		return c.Redirect(http.StatusSeeOther, with(signInPath, "next", afterwards(r), "ended", ended))
	}
}

// afterwards is where who had to sign in first goes on: where a form is sent to there
// is a page that asks for it, but for signing out.
func afterwards(r *http.Request) string {
	if r.URL.Path == signOutPath {
		return ""
	}
	return local(r.URL.RequestURI())
}

// onSignInPage reads the form of who signs in, and shows what goes wrong above it.
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
		b := signInBody{Next: local(form.Text("next"))}
		return h.answer(c, reply{page: "sign-in", title: "Sign in", body: b}, err)
	}
}

// retryLater tells a program how long to wait, if that is known.
func retryLater(c echo.Context, d time.Duration) {
	if d > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
}
