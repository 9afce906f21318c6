package token

import (
	"cmp"
	"fmt"
	"net/http"
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
	// it reads the cached token of subject for that many minutes, nil if there is none.
	// The subject is "" for an invalid request.
	Admit func(c echo.Context, subject string, minutes int) ([]byte, error)
}

// Mount adds the route to g, which must authenticate.
func (h *Handler) Mount(g *echo.Group) {
	g.POST("/token", h.issue, auth.Require(auth.RoleUser))
}

func (h *Handler) issue(c echo.Context) error {
	who := auth.Caller(c)
	ttl, invalid := h.read(c)
	var key CacheKey
	if invalid == nil {
		key = CacheKeyFor(who.Subject, ttl)
	}
	sealed, err := h.Admit(c, key.Subject, key.Minutes) // invalid requests count too
	if err = cmp.Or(err, invalid); err != nil {
		return err
	}
	t, err := h.Tokens.Issue(c.Request().Context(), who, ttl, sealed)
	if err != nil {
		return err
	}
	buffer := buffers.Get().(*[]byte) //nolint:errcheck // the pool holds nothing else
	defer buffers.Put(buffer)
	answer, err := h.appendAnswer((*buffer)[:0], t)
	if err != nil {
		return err
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

// read returns the requested lifetime.
func (h *Handler) read(c echo.Context) (time.Duration, error) {
	req, err := httpapi.ReadBody[struct {
		ExpiryMinutes *int `json:"expiry_minutes"`
	}](c.Response(), c.Request(), bodyRules)
	switch {
	case httpapi.IsTypeError(err, "/expiry_minutes"):
		return 0, errMinutes
	case err != nil:
		return 0, err
	case req.ExpiryMinutes == nil:
		return h.TTL, nil
	case *req.ExpiryMinutes < 1 || *req.ExpiryMinutes > int(MaxTTL/time.Minute):
		return 0, errMinutes
	}
	return time.Duration(*req.ExpiryMinutes) * time.Minute, nil
}

// appendAnswer appends the JSON answer to b, field by field since this is the hot path.
func (h *Handler) appendAnswer(b []byte, t Issued) ([]byte, error) {
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
	b = append(b, ModeDirect...)
	return append(b, "\"}\n"...), nil
}
