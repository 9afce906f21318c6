// Package console serves the operators' pages. They show and call what admin.Service
// offers, are rendered on the server and work without scripts. Every page needs a signed-in
// operator. An action that revokes tokens or blocks users asks for confirmation first, and
// says what it will and will not do. The rules are those of the domain packages.
package console

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/admin"
	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
)

// Handler serves the console under /console/. All fields but the limits and Demo are
// required.
type Handler struct {
	Admin    *admin.Service
	Sessions *session.Service
	// Files returns the files of the console. It is called for each page, so it should read them
	// once: they take 2 MB of memory, which a broker without operators does without.
	Files   func() *Files
	Demo    bool // marks the pages as a demo
	Version string
	// ReserveSignIn is that of session.Handler.
	ReserveSignIn func(c echo.Context) error
	Limit         echo.MiddlewareFunc // of all other requests; nil for no limit
	Log           *slog.Logger
	Now           func() time.Time
}

// pageFunc handles a request of a signed-in operator.
type pageFunc func(r request) (reply, error)

// Mount adds the pages to g, which must have no prefix and no authentication.
func (h *Handler) Mount(g *echo.Group) {
	signIn, signedIn := h.chain(h.onSignInPage), h.chain(h.Limit, h.requireSession)
	g.GET("/console", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, home) })
	g.GET(assetsPath+"*", h.asset, h.chain()...)
	g.GET(signInPath, h.signInPage, h.chain()...)
	g.POST(signInPath, h.signIn, signIn...)
	g.POST(signOutPath, h.signOut, signedIn...)
	for path, page := range h.pages() {
		g.GET(home+path, h.show(page), signedIn...)
	}
	for path, form := range h.forms() {
		g.POST(home+path, h.submit(form), signedIn...)
	}
	g.GET(exportPath, h.download, signedIn...)
	g.RouteNotFound(catchAllPath, h.notFound, h.chain()...)
}

// pages are the pages that show something or ask for confirmation.
func (h *Handler) pages() map[string]pageFunc {
	return map[string]pageFunc{
		"":                   h.overview,
		findPath:             h.find,
		"users":              h.users,
		"users/:key":         h.user,
		"users/:key/block":   h.blockForm,
		"grants":             h.grants,
		"grants/:key":        h.grant,
		"usage":              h.usage,
		raisePath:            h.raiseForm,
		"webhooks":           h.webhooks,
		"webhooks/:key":      h.webhook,
		"audit":              h.audit,
		"settings":           h.settings,
		logLevelPath:         h.logLevelForm,
		"revoke-all":         h.confirmAll,
		"grants/:key/revoke": h.confirmGrant,
		"links/:key/revoke":  h.confirmLink,
		"users/:key/unblock": h.confirmUser(actUnblock, "Lift the block"),
		"users/:key/revoke":  h.confirmUser(actRevokeUser, "Revoke a user's tokens"),
	}
}

// forms are the actions.
func (h *Handler) forms() map[string]pageFunc {
	return map[string]pageFunc{
		"users/:key/block":      h.block,
		"users/:key/unblock":    h.unblock,
		"users/:key/revoke":     h.revokeUser,
		"grants/:key/revoke":    h.revokeGrant,
		"links/:key/revoke":     h.revokeLink,
		"revoke-all":            h.revokeAll,
		raisePath:               h.raise,
		logLevelPath:            h.setLogLevel,
		"webhooks/:key/test":    h.testWebhook,
		"webhooks/:key/enable":  h.enableWebhook(true),
		"webhooks/:key/disable": h.enableWebhook(false),
		"webhooks/:key/replay":  h.replayWebhook,
		"webhooks/:key/secrets": h.addWebhookSecret,
	}
}

// asset sends a file, which browsers keep if they ask each time whether it has changed.
func (h *Handler) asset(c echo.Context) error {
	f, ok := h.Files().assets[c.Param("*")]
	if !ok {
		return echo.ErrNotFound
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return f.Send(c)
}

// notFound answers for unknown paths, and for methods that a path does not support.
func (h *Handler) notFound(c echo.Context) error {
	if _, err := h.Sessions.Identify(c); err != nil {
		return err
	}
	if methods := allowed(c); len(methods) > 0 {
		c.Response().Header().Set(echo.HeaderAllow, strings.Join(methods, ", "))
		return errMethod
	}
	return echo.ErrNotFound
}

// allowed returns the methods that the path of c supports. Echo does not tell, because it
// has matched the catch-all route.
func allowed(c echo.Context) (methods []string) {
	probe := c.Echo().NewContext(nil, nil)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if c.Echo().Router().Find(method, echo.GetPath(c.Request()), probe); probe.Path() == catchAllPath {
			continue
		}
		if methods = append(methods, method); method == http.MethodGet {
			methods = append(methods, http.MethodHead) // answered like GET
		}
	}
	return methods
}

// show answers with the page of f.
func (h *Handler) show(f pageFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, err := h.newRequest(c)
		if err != nil {
			return err
		}
		page, err := f(r)
		return h.answer(c, page, err)
	}
}

// submit reads the form of the request and answers with the page of f.
func (h *Handler) submit(f pageFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := readForm(c.Response(), c.Request()); err != nil {
			return err
		}
		return h.show(f)(c)
	}
}

// newRequest returns the request of c.
func (h *Handler) newRequest(c echo.Context) (request, error) {
	r := request{Request: c.Request(), now: h.Now(), key: c.Param("key")}
	if r.URL.RawPath != "" { // otherwise Echo has unescaped it
		var err error
		if r.key, err = url.PathUnescape(r.key); err != nil {
			return request{}, errForm.Because(err)
		}
	}
	return r, nil
}

// answer sends a reply. It renders an error that comes with a page on that page, and
// returns it for the middleware.
func (h *Handler) answer(c echo.Context, r reply, err error) error {
	switch {
	case err != nil && r.page == "":
		return err
	case r.redirect != "":
		r.notice.set(c.Response())
		return c.Redirect(http.StatusSeeOther, r.redirect)
	}
	if renderErr := h.render(c, r, err); renderErr != nil {
		return renderErr
	}
	return err
}

// render sends a page, with err above it unless that is nil.
func (h *Handler) render(c echo.Context, r reply, err error) error {
	if body, ok := r.body.(refreshable); ok && err == nil && c.Request().Header.Get(headerRefresh) != "" {
		return h.sendParts(c, r.page, body.parts())
	}
	d := pageData{Title: r.title, Nav: cmp.Or(r.nav, navOf[r.page], r.page), Demo: h.Demo, Version: h.Version, Body: r.body}
	if s := session.Current(c); s != nil {
		d.Operator = s.Admin
	}
	status := http.StatusOK
	if err != nil {
		status = httpapi.ProblemOf(err).Status
		d.Problem = newErrorView(err, status, c.Response().Header().Get(httpapi.HeaderRequestID))
		if d.Operator == "" {
			d.Problem.Note = ""
		}
		d.Title = cmp.Or(d.Title, d.Problem.Title)
		setRetryAfter(c, d.Problem.Wait)
	}
	if d.Operator != "" && isVisible(c.Request()) {
		d.Notice = takeNotice(c.Response(), c.Request())
	}
	page, renderErr := h.Files().templates.render(r.page, d)
	if renderErr != nil {
		return renderErr
	}
	if status == http.StatusOK && c.Request().Method == http.MethodGet {
		return httpapi.SendRead(c, echo.MIMETextHTMLCharsetUTF8, page)
	}
	return c.HTMLBlob(status, page) // not compressed, since it may have a secret
}

// sendParts sends the parts of a page that the browser does not have, or 304 if it has all.
func (h *Handler) sendParts(c echo.Context, page string, parts []part) error {
	changed, err := h.Files().templates.renderParts(page, parts, c.Request())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Vary", headerRefresh)
	if len(changed) == 0 {
		return c.NoContent(http.StatusNotModified)
	}
	return httpapi.SendRead(c, echo.MIMETextHTMLCharsetUTF8, changed)
}

// signInBody is the form that asks for an admin key.
type signInBody struct {
	Next  string // URL to open after signing in
	Ended bool   // the browser had a session that has ended
	Lost  bool   // the browser sent a form, which was not carried out
}

// signInPage asks for an admin key, unless the operator is signed in.
func (h *Handler) signInPage(c echo.Context) error {
	b := signInBody{
		Next:  safeNext(c.QueryParam("next")),
		Ended: c.QueryParam("ended") != "", Lost: c.QueryParam("lost") != "",
	}
	s, err := h.Sessions.Identify(c)
	switch {
	case err != nil:
		return err
	case s != nil:
		return c.Redirect(http.StatusSeeOther, b.Next)
	}
	return h.answer(c, reply{page: "sign-in", title: "Sign in", body: b}, nil)
}

// signIn exchanges an admin key for a session. onSignInPage has read the form.
func (h *Handler) signIn(c echo.Context) error {
	r := c.Request()
	if err := session.CheckSecure(r); err != nil {
		return err
	}
	form := httpapi.FormParams(r.PostForm)
	token, _, err := h.Sessions.SignIn(r.Context(), secret.Text(strings.TrimSpace(form.Text("key"))), session.Reservation(c, h.ReserveSignIn))
	if err != nil {
		return err
	}
	session.SetCookie(c, token)
	return c.Redirect(http.StatusSeeOther, safeNext(form.Text("next")))
}

// signOut ends the session.
func (h *Handler) signOut(c echo.Context) error {
	if err := h.Sessions.SignOutCaller(c); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, signInPath)
}

// download streams the audit trail as a file.
func (h *Handler) download(c echo.Context) error {
	r, err := h.newRequest(c)
	if err != nil {
		return err
	}
	format := c.QueryParam("format")
	media, ok := audit.ExportTypes[format]
	if !ok {
		return audit.ErrFormat
	}
	file := httpapi.Download{Name: "casbroker-audit." + format, Type: media, Log: h.Log}
	return file.Send(r.Request, c.Response(), func(ctx context.Context, w io.Writer) error { return h.export(ctx, r, w) })
}
