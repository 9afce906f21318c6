package portfolio

import (
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

// SaveThen saves the body of c's request for its caller, and answers as POST /v1/portfolios
// does. Before the answer it calls saved with the id of the portfolio, whose error it returns.
// Mount must have been called.
func (h *Handler) SaveThen(c echo.Context, saved func(portfolioID string) error) error {
	return h.answerSave(c, auth.HasBearer(c.Request().Header), func(_ []byte, res SaveResult) ([]byte, error) {
		return res.Body, saved(res.PortfolioID)
	})
}
