package token

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// bodyRules limits request bodies; 1 KiB is more than any valid request needs.
var bodyRules = httpapi.BodyRules{MaxBytes: 1 << 10, Example: `{"expiry_minutes": 30}`}

// Handler serves POST /v1/token. All fields are required.
type Handler struct {
	Tokens *Service
	TTL    time.Duration // lifetime of a token when the request names none: 1 to 60 minutes
	// Admit returns an error if the caller sent too many requests. In the same round trip
	// it reads the token that is cached under the key with these fields, nil if there is
	// none. The subject is "" for an invalid request.
	Admit func(c echo.Context, subject string, minutes int, gateway bool) ([]byte, error)
	// Modes are those that a request may ask for; the first is the default. Nil means
	// ModeDirect only.
	Modes []Mode
	// Refuse is the answer to every request, nil for tokens.
	Refuse error
	// Features are those that a gateway token may have, and has if a request names none.
	Features Features
	// GatewayURL returns where the gateway is, for a request to this host. It is required
	// if Modes has ModeGateway.
	GatewayURL func(host string) string
}

// Mount adds the route to g, which must authenticate.
func (h *Handler) Mount(g *echo.Group) {
	g.POST("/token", h.issue, auth.RequireUser(auth.ScopeTokenWrite))
}

func (h *Handler) issue(c echo.Context) error {
	req, invalid := h.read(c)
	t, err := h.obtain(c, req, invalid)
	if err != nil {
		return err
	}
	return h.respond(c, t, false)
}

// Obtain returns a token for the caller of c, as POST /v1/token with p does: within the
// limits of the caller, which c's request counts against.
func (h *Handler) Obtain(c echo.Context, p Params) (Issued, error) {
	req, invalid := h.parse(p)
	return h.obtain(c, req, invalid)
}

// obtain returns the token that the caller of c gets for req. invalid is what is wrong with
// the request, nil if it is valid.
func (h *Handler) obtain(c echo.Context, req Request, invalid error) (Issued, error) {
	who := auth.Caller(c)
	var key CacheKey
	if invalid == nil {
		key = req.cacheKey(who.Subject)
	}
	sealed, err := h.Admit(c, key.Subject, key.Minutes, key.Gateway) // invalid requests count too
	if err = cmp.Or(err, h.Refuse, invalid); err != nil {
		return Issued{}, err
	}
	return h.Tokens.Issue(c.Request().Context(), who, req, sealed)
}

// respond answers with t. With compat the answer has the members of drop-in paths, too.
func (h *Handler) respond(c echo.Context, t Issued, compat bool) error {
	buffer := buffers.Get().(*[]byte) //nolint:errcheck // the pool holds nothing else
	defer buffers.Put(buffer)
	answer, err := h.appendAnswer((*buffer)[:0], t, c.Request().Host)
	if err != nil {
		return err
	}
	if compat {
		if answer, err = appendCompat(answer, t); err != nil {
			return err
		}
	}
	*buffer = answer
	header := c.Response().Header()
	header["Cache-Control"] = noStore
	header[echo.HeaderContentType] = jsonType
	c.Response().WriteHeader(http.StatusOK)
	_, err = c.Response().Write(answer)
	return err
}

// buffers are reused to write answers.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Header values of every answer. They are shared and must not be changed.
var (
	noStore  = []string{"no-store"}
	jsonType = []string{echo.MIMEApplicationJSON}
)

// Params are what a request for a token may ask for. nil means the default.
type Params struct {
	ExpiryMinutes *int      `json:"expiry_minutes"`
	Mode          *Mode     `json:"mode"`
	Features      *[]string `json:"features"`
}

// read returns the request for a token that c makes.
func (h *Handler) read(c echo.Context) (Request, error) {
	body, err := httpapi.ReadBody[Params](c.Response(), c.Request(), bodyRules)
	return h.parsed(body, err)
}

// parsed returns the request that body is, or the fault for err of reading it.
func (h *Handler) parsed(body Params, err error) (Request, error) {
	switch {
	case httpapi.IsTypeError(err, "/expiry_minutes"):
		return Request{}, errMinutes
	case httpapi.IsTypeError(err, "/mode"):
		return Request{}, errMode
	case httpapi.IsTypeError(err, "/features"), httpapi.IsTypeError(err, "/features/0"):
		return Request{}, errFeatures
	case err != nil:
		return Request{}, err
	}
	return h.parse(body)
}

func (h *Handler) parse(body Params) (Request, error) {
	req := Request{TTL: h.TTL, Mode: ModeDirect}
	if len(h.Modes) > 0 {
		req.Mode = h.Modes[0]
	}
	if body.Mode != nil {
		if *body.Mode != req.Mode && !slices.Contains(h.Modes, *body.Mode) {
			return Request{}, errMode
		}
		req.Mode = *body.Mode
	}
	if body.ExpiryMinutes != nil {
		if *body.ExpiryMinutes < 1 || *body.ExpiryMinutes > int(MaxTTL/time.Minute) {
			return Request{}, errMinutes
		}
		req.TTL = time.Duration(*body.ExpiryMinutes) * time.Minute
	}
	switch {
	case req.Mode != ModeGateway && body.Features != nil:
		return Request{}, errDirectFeatures
	case req.Mode != ModeGateway:
		return req, nil
	case body.Features == nil:
		req.Features = h.Features
		return req, nil
	}
	wanted, ok := ParseFeatures(*body.Features)
	if !ok || wanted&^h.Features != 0 {
		return Request{}, errFeatures
	}
	req.Features = wanted
	return req, nil
}

// appendAnswer appends the JSON answer for a request to host to b, field by field since
// this is the hot path.
func (h *Handler) appendAnswer(b []byte, t Issued, host string) ([]byte, error) {
	left := max(t.ExpiresAt.Sub(h.Tokens.Now()), 0)
	b = append(b, `{"access_token":`...)
	b, err := jsontext.AppendQuote(b, t.Value.Reveal())
	if err != nil {
		return nil, fmt.Errorf("write the access token: %w", err)
	}
	b = append(b, `,"token_type":"api_key","expires_in":`...)
	b = strconv.AppendInt(b, int64(left/time.Second), 10)
	b = append(b, `,"expires_at":"`...)
	b = t.ExpiresAt.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","refresh_after":"`...)
	b = t.RefreshAfter.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","grant_id":`...)
	if b, err = jsontext.AppendQuote(b, t.GrantID); err != nil {
		return nil, fmt.Errorf("write the grant id: %w", err)
	}
	b = append(b, `,"mode":"`...)
	b = append(b, t.Mode...)
	if t.Mode == ModeGateway {
		b = append(b, `","api_base_url":`...)
		if b, err = jsontext.AppendQuote(b, h.GatewayURL(host)); err != nil {
			return nil, fmt.Errorf("write the address of the gateway: %w", err)
		}
		return append(b, "}\n"...), nil
	}
	return append(b, "\"}\n"...), nil
}

// SessionHandler serves GET /v1/grants/{id}, where users see what happened under a token
// of theirs. Grants is required.
type SessionHandler struct {
	Grants *Directory
	Limit  echo.MiddlewareFunc // nil for no limit
	// Settle waits until the answers that the vendor has just given to subject are saved; nil
	// for a broker that does not see them.
	Settle func(ctx context.Context, subject string)
}

// Mount adds the route to g, which must authenticate.
func (h *SessionHandler) Mount(g *echo.Group) {
	g.GET("/grants/:id", h.session, auth.PrivateUser(auth.ScopePortfoliosRead, h.Limit)...)
}

func (h *SessionHandler) session(c echo.Context) error {
	ctx := c.Request().Context()
	if h.Settle != nil {
		h.Settle(ctx, auth.From(ctx).Subject)
	}
	s, err := h.Grants.OwnSession(ctx, auth.From(ctx), c.Param("id"))
	if err != nil {
		return err
	}
	return httpapi.SendReadJSON(c, ownSessionView{
		ID: s.ID, Mode: s.Mode, State: s.State, IssuedAt: s.IssuedAt, ExpiresAt: s.ExpiresAt, SessionView: s.View(),
	})
}
