package app

import (
	"net/http"
	"time"

	"casbroker/internal/access"
)

func init() { keysEvery = 100 * time.Millisecond }

// Handler returns the routes, for benchmarks without a network.
func (a *App) Handler() http.Handler { return a.router }

// Access returns the service with which tests block and revoke.
func (a *App) Access() *access.Service { return a.access }
