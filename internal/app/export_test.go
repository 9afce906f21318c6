package app

import "casbroker/internal/access"

// Access is where the tests act as an operator.
func (a *App) Access() *access.Service { return a.access }
