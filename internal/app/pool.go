package app

import (
	"context"
	"sync"
	"time"

	"casbroker/internal/token"
)

// startPool puts a pool of tokens between tokens and its Minter and fills it until running
// ends, if the settings have one.
func (a *App) startPool(running context.Context, tokens *token.Service, now func() time.Time) {
	c := a.settings
	if c.Token.Pool == 0 {
		return
	}
	pool := &token.Pool{
		Minter: tokens.Minter, Size: c.Token.Pool, TTL: c.Token.Lifetime, Box: tokens.Box, Log: a.log, Now: now,
		MintTimeout: tokens.MintTimeout,
	}
	pool.Observe = a.metrics.WatchTokenPool(pool.Ready)
	tokens.Minter = pool
	var filling sync.WaitGroup
	filling.Go(func() { pool.Run(running) })
	a.onClose(func() error {
		a.stop()
		filling.Wait()
		return nil
	})
}
