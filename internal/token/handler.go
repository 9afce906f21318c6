package token

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// bodies are those of requests for a token. No such request needs as many bytes.
var bodies = httpapi.BodyRules{MaxBytes: 1 << 10, Example: `{"expiry_minutes": 30}`}

// Handler serves POST /v1/token. All fields but Reused are required.
type Handler struct {
	Tokens *Service
	Life   time.Duration // of a token when the caller names none: 1 to 60 minutes
	// Admit fails when the caller asks too often. On the same trip it brings what the
	// cache holds under key; key is "" for a request that is wrong.
	Admit func(c echo.Context, key string) ([]byte, error)
	// Reused is told of a token before it is given again, and fails when that may
	// not be for lack of a record. nil: nobody wants to know.
	Reused func(ctx context.Context, actor, subject, grantID string) error
}

// Mount adds the route to g, which authenticates.
func (h *Handler) Mount(g *echo.Group) {
	g.POST("/token", h.issue, auth.Require(auth.RoleUser))
}

func (h *Handler) issue(c echo.Context) error {
	who := auth.Caller(c)
	life, wrong := h.read(c)
	key := ""
	if wrong == nil {
		key = Key(who.Subject, life)
	}
	sealed, err := h.Admit(c, key)
	if err = cmp.Or(err, wrong); err != nil {
		return err
	}
	ctx := c.Request().Context()
	t, err := h.Tokens.Issue(ctx, who, life, sealed)
	if err == nil && t.Reused && h.Reused != nil {
		err = h.Reused(ctx, who.Subject, who.Subject, t.GrantID)
	}
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header["Cache-Control"] = noStore
	header[echo.HeaderContentType] = jsonType
	c.Response().WriteHeader(http.StatusOK)
	room := answers.Get().(*[]byte) //nolint:errcheck // the pool holds nothing else
	*room = h.answer((*room)[:0], t)
	_, err = c.Response().Write(*room)
	answers.Put(room)
	return err
}

// answers are buffers to write answers in.
var answers = sync.Pool{New: func() any { return new([]byte) }}

// The headers of every answer; shared, since nobody changes them.
var (
	noStore  = []string{"no-store"}
	jsonType = []string{echo.MIMEApplicationJSON}
)

// read returns how long the token is to live.
func (h *Handler) read(c echo.Context) (time.Duration, error) {
	req, err := httpapi.ReadBody[struct {
		ExpiryMinutes *int `json:"expiry_minutes"`
	}](c.Response(), c.Request(), bodies)
	switch {
	case httpapi.IsTypeError(err, "/expiry_minutes"):
		return 0, errMinutes
	case err != nil:
		return 0, err
	case req.ExpiryMinutes == nil:
		return h.Life, nil
	case *req.ExpiryMinutes < 1 || *req.ExpiryMinutes > int(MaxLife/time.Minute):
		return 0, errMinutes
	}
	return time.Duration(*req.ExpiryMinutes) * time.Minute, nil
}

// answer appends the JSON to b, by hand: this is the hot path. Tokens and ids hold no
// character that JSON would escape; the vendor client and package id see to that.
func (h *Handler) answer(b []byte, t Issued) []byte {
	left := max(t.ExpiresAt.Sub(h.Tokens.Now()), 0)
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
	return append(b, "\"}\n"...)
}
