// Package console is what operators see in a browser: pages over the admin desk,
// rendered here, that work without script. Every page is for somebody who is signed
// in; what ends tokens or blocks users asks once and says what it will do, and what
// it cannot. The rules of all that are the rooms' own.
package console

import (
	"cmp"
	"context"
	"io"
	"io/fs"
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
	Admin       *admin.Service
	Sessions    *session.Service
	Pages       fs.FS // the templates, and in assets what browsers fetch
	Demo        bool  // the pages say that it is one
	Version     string
	LimitSignIn echo.MiddlewareFunc // on attempts to sign in; nil for no limit
	Limit       echo.MiddlewareFunc // on everything else, whoever it is; nil for no limit
	Log         *slog.Logger
	Now         func() time.Time

	sheets sheets
}

// step is what a request of an operator does.
type step func(v visit) (reply, error)

// Mount adds the pages to g, which has no prefix and does not authenticate. It panics
// when a template cannot be used.
func (h *Handler) Mount(g *echo.Group) {
	var err error
	if h.sheets, err = readSheets(h.Pages); err != nil {
		panic("console: " + err.Error())
	}
	assets := echo.MustSubFS(h.Pages, "assets")
	tag, err := tagging(assets)
	if err != nil {
		panic("console: " + err.Error())
	}
	open, known := h.before(h.onSignInPage, h.LimitSignIn), h.before(h.Limit, h.signedIn)
	g.GET("/console", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, home) })
	g.GET(assetsPath+"*", echo.StaticDirectoryHandler(assets, false), h.before(fresh, echo.WrapMiddleware(tag))...)
	g.GET(signInPath, h.signInPage, h.before()...)
	g.POST(signInPath, h.signIn, open...)
	g.POST(signOutPath, h.signOut, known...)
	for path, look := range h.looks() {
		g.GET(home+path, h.look(look), known...)
	}
	for path, act := range h.acts() {
		g.POST(home+path, h.act(act), known...)
	}
	g.GET(exportPath, h.download, known...)
	g.RouteNotFound(missingPath, h.missing, h.before()...)
}

// looks are the pages that show something, and those that ask before something is done.
func (h *Handler) looks() map[string]step {
	return map[string]step{
		"":                   h.overview,
		"users":              h.users,
		"users/:key":         h.user,
		"users/:key/block":   h.askBlock,
		"grants":             h.grants,
		"grants/:key":        h.grant,
		"audit":              h.trail,
		"settings":           h.settings,
		"revoke-all":         h.askAll,
		"grants/:key/revoke": h.askGrant,
		"users/:key/unblock": h.askUser(actUnblock, "Lift the block"),
		"users/:key/revoke":  h.askUser(actRevokeUser, "Revoke a user's tokens"),
	}
}

// acts are what changes something.
func (h *Handler) acts() map[string]step {
	return map[string]step{
		"users/:key/block":   h.block,
		"users/:key/unblock": h.unblock,
		"users/:key/revoke":  h.revokeUser,
		"grants/:key/revoke": h.revokeGrant,
		"revoke-all":         h.revokeAll,
	}
}

// missing answers for what there is no page for, and for what a page does not take.
func (h *Handler) missing(c echo.Context) error {
	if _, err := h.Sessions.Identify(c); err != nil {
		return err
	}
	if methods := allowed(c); len(methods) > 0 {
		c.Response().Header().Set(echo.HeaderAllow, strings.Join(methods, ", "))
		return errMethod
	}
	return echo.ErrNotFound
}

// allowed lists the methods that the path of c takes. The router does not say, as it
// has found the route of what is missing.
func allowed(c echo.Context) (methods []string) {
	probe := c.Echo().NewContext(nil, nil)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if c.Echo().Router().Find(method, echo.GetPath(c.Request()), probe); probe.Path() == missingPath {
			continue
		}
		if methods = append(methods, method); method == http.MethodGet {
			methods = append(methods, http.MethodHead) // which is answered as GET is
		}
	}
	return methods
}

// look answers with the page of s.
func (h *Handler) look(s step) echo.HandlerFunc {
	return func(c echo.Context) error {
		v, err := h.visit(c)
		if err != nil {
			return err
		}
		r, err := s(v)
		return h.answer(c, r, err)
	}
}

// act does s, whose form it reads.
func (h *Handler) act(s step) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := readForm(c.Response(), c.Request()); err != nil {
			return err
		}
		return h.look(s)(c)
	}
}

// visit is the request of c.
func (h *Handler) visit(c echo.Context) (visit, error) {
	v := visit{Request: c.Request(), now: h.Now(), key: c.Param("key")}
	if k := session.Current(c); k != nil {
		v.who = *k
	}
	if v.URL.RawPath != "" { // or the router has unescaped it
		var err error
		if v.key, err = url.PathUnescape(v.key); err != nil {
			return visit{}, errForm.Because(err)
		}
	}
	return v, nil
}

// answer sends what a step led to. An error that comes with a page is shown there, and
// is returned for those who take note of it.
func (h *Handler) answer(c echo.Context, r reply, err error) error {
	switch {
	case err != nil && r.page == "":
		return err
	case r.to != "":
		r.note.leave(c.Response())
		return c.Redirect(http.StatusSeeOther, r.to)
	}
	if failed := h.render(c, r, err); failed != nil {
		return failed
	}
	return err
}

// render writes a page, with err above it if that is not nil.
func (h *Handler) render(c echo.Context, r reply, err error) error {
	f := frame{Title: r.title, Nav: cmp.Or(r.part, partOf[r.page], r.page), Demo: h.Demo, Version: h.Version, Body: r.body}
	if k := session.Current(c); k != nil {
		f.Who = k.Admin
	}
	status := http.StatusOK
	if err != nil {
		status = httpapi.ProblemOf(err).Status
		f.Problem = troubleOf(err, status, c.Response().Header().Get(httpapi.HeaderRequestID))
		f.Title = cmp.Or(f.Title, f.Problem.Title)
		retryLater(c, f.Problem.Wait)
	}
	if f.Who != "" && isShown(c.Request()) {
		f.Notice = takeNotice(c.Response(), c.Request())
	}
	page, failed := h.sheets.write(r.page, f)
	if failed != nil {
		return failed
	}
	return c.HTMLBlob(status, page)
}

// signInPage asks for an admin key, unless somebody is signed in.
func (h *Handler) signInPage(c echo.Context) error {
	b := signInBody{Next: local(c.QueryParam("next")), Ended: c.QueryParam("ended") != "", Elsewhere: isElsewhere(c.Request())}
	k, err := h.Sessions.Identify(c)
	switch {
	case err != nil:
		return err
	case k != nil:
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
	token, _, err := h.Sessions.SignIn(r.Context(), secret.Text(strings.TrimSpace(form.Text("key"))))
	if err != nil {
		return err
	}
	session.SetCookie(c, token)
	return c.Redirect(http.StatusSeeOther, local(form.Text("next")))
}

// signOut ends the session.
func (h *Handler) signOut(c echo.Context) error {
	if err := h.Sessions.SignOut(c.Request().Context(), session.Token(c)); err != nil {
		return err
	}
	session.ClearCookie(c)
	return c.Redirect(http.StatusSeeOther, signInPath)
}

// download sends the audit trail as a file, written as it is read.
func (h *Handler) download(c echo.Context) error {
	v, err := h.visit(c)
	if err != nil {
		return err
	}
	format := c.QueryParam("format")
	media, ok := audit.ExportTypes[format]
	if !ok {
		return audit.ErrFormat
	}
	file := httpapi.Download{Name: "casbroker-audit." + format, Type: media, Log: h.Log}
	return file.Send(v.Context(), c.Response(), func(ctx context.Context, w io.Writer) error { return h.export(ctx, v, w) })
}
