package app

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/access"
)

func init() { keysEvery = 100 * time.Millisecond }

// Handler returns the routes, for benchmarks without a network.
func (a *App) Handler() http.Handler { return a.router }

// Routes returns all routes of the running program.
func (a *App) Routes() []*echo.Route { return a.router.Routes() }

// Access returns the service with which tests block and revoke.
func (a *App) Access() *access.Service { return a.access }
