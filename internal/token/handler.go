package token

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

// maxBody is more than any request for a token needs, in bytes.
const maxBody = 1 << 10

// askKey is where CacheKey leaves what it read for the handler.
const askKey = "token.ask"

// Handler serves POST /v1/token. All fields but APIBaseURL are required.
type Handler struct {
	Tokens *Service
	Life   time.Duration // of a token when the caller names none: 1 to 60 minutes
	// Limit is put before the route. It may fetch what the cache holds under
	// CacheKey on its way, and then Fetched returns it.
	Limit   echo.MiddlewareFunc
	Fetched func(c echo.Context) []byte
	// APIBaseURL is where the widget is to send the token; "" for the vendor's own default.
	APIBaseURL string
}

// Mount adds the route to g, which authenticates.
func (h *Handler) Mount(g *echo.Group) {
	g.POST("/token", h.issue, auth.Require(auth.RoleUser), h.Limit)
}

// ask is what a request wants, or why it cannot be had.
type ask struct {
	life time.Duration
	err  error
}

// CacheKey returns where the token that the request asks for would be cached; ""
// when the request is wrong, which the handler then says.
func (h *Handler) CacheKey(c echo.Context) string {
	a := h.read(c)
	if a.err != nil {
		return ""
	}
	return Key(auth.Caller(c).Subject, a.life)
}

func (h *Handler) issue(c echo.Context) error {
	a := h.read(c)
	if a.err != nil {
		return a.err
	}
	t, err := h.Tokens.Issue(c.Request().Context(), auth.Caller(c), a.life, h.Fetched(c))
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header["Cache-Control"] = noStore
	header[echo.HeaderContentType] = jsonType
	c.Response().WriteHeader(http.StatusOK)
	_, err = c.Response().Write(h.answer(t))
	return err
}

// The headers of every answer; shared, since nobody changes them.
var (
	noStore  = []string{"no-store"}
	jsonType = []string{echo.MIMEApplicationJSON}
)

// read reads the body once, whoever comes first.
func (h *Handler) read(c echo.Context) ask {
	if a, ok := c.Get(askKey).(ask); ok {
		return a
	}
	if c.Request().ContentLength == 0 {
		return ask{life: h.Life}
	}
	a := h.parse(c.Request(), c.Response())
	c.Set(askKey, a)
	return a
}

func (h *Handler) parse(r *http.Request, w http.ResponseWriter) ask {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return ask{err: err}
	case err != nil:
		return ask{err: errBody.Because(err)}
	case len(body) == 0:
		return ask{life: h.Life}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); err != nil || media != echo.MIMEApplicationJSON {
		return ask{err: errMediaType}
	}
	var req struct {
		ExpiryMinutes *int `json:"expiry_minutes"`
	}
	err = json.Unmarshal(body, &req, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &semantic) && semantic.JSONPointer == "/expiry_minutes":
		return ask{err: errMinutes}
	case err != nil || string(body) == "null":
		return ask{err: errBody.Because(err)}
	case req.ExpiryMinutes == nil:
		return ask{life: h.Life}
	case *req.ExpiryMinutes < 1 || *req.ExpiryMinutes > int(MaxLife/time.Minute):
		return ask{err: errMinutes}
	}
	return ask{life: time.Duration(*req.ExpiryMinutes) * time.Minute}
}

// answer writes the JSON by hand: this is the hot path. Tokens and ids hold no
// character that JSON would escape; the vendor client and package id see to that.
func (h *Handler) answer(t Issued) []byte {
	left := max(t.ExpiresAt.Sub(h.Tokens.Now()), 0)
	b := make([]byte, 0, 320+len(t.Value)+len(h.APIBaseURL))
	b = append(b, `{"access_token":"`...)
	b = append(b, t.Value.Reveal()...)
	b = append(b, `","token_type":"api_key","expires_in":`...)
	b = strconv.AppendInt(b, int64(left/time.Second), 10)
	b = append(b, `,"expires_at":"`...)
	b = t.ExpiresAt.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","refresh_after":"`...)
	b = t.RefreshAfter.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","grant_id":"`...)
	b = append(b, t.GrantID...)
	b = append(b, `","mode":"`...)
	b = append(b, ModeDirect...)
	if h.APIBaseURL != "" {
		b = append(b, `","api_base_url":`...)
		b = strconv.AppendQuote(b, h.APIBaseURL)
		return append(b, '}', '\n')
	}
	return append(b, "\"}\n"...)
}
