package portfolio

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/statement"
)

// MountCompat adds a save at path, for front ends that were written for another back end,
// behind chain, which must authenticate callers. Mount must have been called. Such pages
// send JSON as text, too.
func (h *Handler) MountCompat(g *echo.Group, path string, chain ...echo.MiddlewareFunc) {
	g.POST(path, h.saveCompat, append(chain, auth.Private(auth.RoleUser, h.LimitSave)...)...)
}

func (h *Handler) saveCompat(c echo.Context) error {
	if err := httpapi.CheckQuery(c.Request().URL, nil); err != nil {
		return err
	}
	return h.answerSave(c, true, renderCompat)
}

// compatSaved are the members that the answer to a save has at a drop-in path, in addition
// to those of POST /v1/portfolios.
type compatSaved struct {
	Success    bool           `json:"success"`
	OK         bool           `json:"ok"`
	Message    string         `json:"message"`
	Count      int            `json:"count"`      // of holdings
	TotalValue jsontext.Value `json:"totalValue"` // a number
	Summary    jsontext.Value `json:"summary"`
	Data       jsontext.Value `json:"data"` // the statement as it was sent
}

// renderCompat returns the answer for a statement in body that was saved as res says.
func renderCompat(body []byte, res SaveResult) ([]byte, error) {
	var saved struct {
		TotalValue string `json:"total_value"`
		StoredRows int    `json:"stored_rows"`
	}
	if err := json.Unmarshal(res.Body, &saved); err != nil {
		return nil, err
	}
	data, err := statement.Unwrap(body)
	if err != nil {
		return nil, err
	}
	view := compatSaved{
		Success: true, OK: true, Message: "The portfolio is saved.", Count: saved.StoredRows,
		TotalValue: jsontext.Value(saved.TotalValue), Data: data,
	}
	var stated struct {
		Summary jsontext.Value `json:"summary"`
	}
	if err := json.Unmarshal(data, &stated); err != nil {
		return nil, err
	}
	if view.Summary = stated.Summary; view.Summary.Kind() != jsontext.KindBeginObject {
		view.Summary = jsontext.Value(`{"total_value":` + saved.TotalValue + `}`)
	}
	added, err := render(view)
	if err != nil {
		return nil, err
	}
	own := bytes.TrimPrefix(bytes.TrimSpace(res.Body), []byte("{"))
	return append(append(added[:len(added)-1], ','), own...), nil
}
