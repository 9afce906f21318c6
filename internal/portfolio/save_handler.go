package portfolio

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

// save answers a save. Text is taken for JSON only with a bearer token: with a cookie
// alone, any page could send it.
func (h *Handler) save(c echo.Context) error {
	asIs := func(_ []byte, res SaveResult) ([]byte, error) { return res.Body, nil }
	return h.answerSave(c, auth.HasBearer(c.Request().Header), asIs)
}

// answerSave saves the body of a request and answers with what render makes of the body
// and the result. asText allows media types as for receive.
func (h *Handler) answerSave(c echo.Context, asText bool, render func(body []byte, res SaveResult) ([]byte, error)) error {
	r := c.Request()
	key, err := ReadKey(r.Header)
	if err != nil {
		return err
	}
	who := auth.From(r.Context())
	body, large, err := h.bodies.receive(c.Response().Writer, r, who.Subject, asText)
	if err != nil {
		return err
	}
	defer large.end()
	res, answer, err := h.process(r.Context(), who, body, key, render)
	if err != nil {
		return err
	}
	header, status := c.Response().Header(), http.StatusOK
	header.Set("Location", auth.PathOf(who, "/portfolios/"+res.PortfolioID))
	if res.Replayed {
		header.Set("Idempotency-Replayed", "true")
	}
	if res.Created {
		status = http.StatusCreated
	}
	return h.sendSaved(c, status, answer, large)
}

// process saves body and returns the answer that render makes.
func (h *Handler) process(ctx context.Context, who auth.Principal, body []byte, key string, render func(body []byte, res SaveResult) ([]byte, error)) (SaveResult, []byte, error) {
	done, err := h.bodies.process(ctx, body)
	if err != nil {
		return SaveResult{}, nil, err
	}
	defer done()
	res, err := h.Portfolios.Save(ctx, who, body, key)
	if err != nil {
		return SaveResult{}, nil, err
	}
	answer, err := render(body, res)
	return res, answer, err
}

// sendSaved answers a save. It frees the memory of the body before the answer is sent, which
// the caller may read slowly.
func (h *Handler) sendSaved(c echo.Context, status int, answer []byte, body *largeBody) error {
	if len(answer) > smallBody && h.Spool != nil {
		file := h.Spool.File()
		defer func() { _ = file.Close() }() // nothing is lost
		if _, err := file.Write(answer); err == nil {
			body.free()
			c.Response().Header().Set(echo.HeaderContentLength, strconv.FormatInt(file.Size(), 10))
			c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
			c.Response().WriteHeader(status)
			_, err := file.WriteTo(c.Response())
			return err
		}
		return c.JSONBlob(status, answer) // there is no space on disk
	}
	if len(answer) <= smallBody {
		body.free()
	}
	return c.JSONBlob(status, answer)
}
