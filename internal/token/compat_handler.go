package token

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// MountCompat adds a route for access tokens at path, for front ends that were written for
// another back end, behind chain, which must authenticate callers. It takes GET and POST.
func (h *Handler) MountCompat(g *echo.Group, path string, chain ...echo.MiddlewareFunc) {
	chain = append(chain, auth.Require(auth.RoleUser))
	httpapi.TakesQuery(g.GET(path, h.issueCompat, chain...), "expiry_minutes", "expiryMinutes")
	g.POST(path, h.issueCompat, chain...)
}

func (h *Handler) issueCompat(c echo.Context) error {
	req, invalid := h.readCompat(c)
	t, err := h.obtain(c, req, invalid)
	if err != nil {
		return err
	}
	return h.respond(c, t, true)
}

// compatBody is the body of a request at a drop-in path.
type compatBody struct {
	Params
	Minutes *int `json:"expiryMinutes"`
}

// compatRules are bodyRules for pages that send JSON as text, too.
var compatRules = httpapi.BodyRules{MaxBytes: bodyRules.MaxBytes, Example: `{"expiryMinutes": 30}`, Text: true}

// errTwice is returned for a request with the lifetime in both spellings.
var errTwice = errMinutes.Withf("Send expiry_minutes or expiryMinutes, not both.")

// readCompat returns the request for a token that c makes at a drop-in path. expiryMinutes
// is the same as expiry_minutes; a GET has either in its query.
func (h *Handler) readCompat(c echo.Context) (Request, error) {
	r := c.Request()
	query, err := httpapi.QueryParams(r.URL)
	if err != nil {
		return Request{}, err
	}
	if r.Method == http.MethodGet {
		return h.readQuery(query)
	}
	if err := query.Only(); err != nil {
		return Request{}, err
	}
	body, err := httpapi.ReadBody[compatBody](c.Response(), r, compatRules)
	switch {
	case httpapi.IsTypeError(err, "/expiryMinutes"):
		return Request{}, errMinutes
	case err == nil && body.Minutes != nil && body.ExpiryMinutes != nil:
		return Request{}, errTwice
	case err != nil:
		return h.parsed(body.Params, err)
	}
	if body.Minutes != nil {
		body.ExpiryMinutes = body.Minutes
	}
	return h.parse(body.Params)
}

func (h *Handler) readQuery(query *httpapi.Params) (Request, error) {
	if err := query.Only("expiry_minutes", "expiryMinutes"); err != nil {
		return Request{}, err
	}
	if query.Has("expiry_minutes") && query.Has("expiryMinutes") {
		return Request{}, errTwice
	}
	var body Params
	for _, name := range []string{"expiry_minutes", "expiryMinutes"} {
		if !query.Has(name) {
			continue
		}
		minutes, err := strconv.Atoi(query.Text(name))
		if err != nil {
			return Request{}, errMinutes
		}
		body.ExpiryMinutes = &minutes
	}
	return h.parse(body)
}

// appendCompat adds to answer, a JSON object, the members that front ends of other back
// ends read.
func appendCompat(answer []byte, t Issued) ([]byte, error) {
	b := append(bytes.TrimSuffix(answer, []byte("}\n")), `,"accessToken":`...)
	b, err := jsontext.AppendQuote(b, t.Value.Reveal())
	if err != nil {
		return nil, fmt.Errorf("write the access token: %w", err)
	}
	return append(b, `,"ok":true,"success":true}`+"\n"...), nil
}
