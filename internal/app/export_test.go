package app

import (
	"net/http"

	"casbroker/internal/access"
)

// Handler returns the routes, for benchmarks without a network.
func (a *App) Handler() http.Handler { return a.router }

// Access returns the service with which tests block and revoke.
func (a *App) Access() *access.Service { return a.access }
