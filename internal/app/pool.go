package app

import (
	"context"
	"sync"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/token"
)

// startPool puts a pool of tokens between tokens and its Minter and fills it until running
// ends, if the settings have one.
func (a *App) startPool(running context.Context, tokens *token.Service, keys *apikey.Pool, now func() time.Time) {
	c := a.settings
	if c.Token.Pool == 0 {
		return
	}
	pool := &token.Pool{
		Minter: tokens.Minter, Size: c.Token.Pool, TTL: c.Token.Lifetime, Box: tokens.Box, Log: a.log, Now: now,
		MintTimeout: tokens.MintTimeout,
	}
	pool.Observe = a.metrics.WatchTokenPool(pool.Ready)
	tokens.Minter = minters{shared: pool, own: tokens.Minter, keys: keys}
	var filling sync.WaitGroup
	filling.Go(func() { pool.Run(apikey.InBackground(running)) })
	a.onClose(func() error {
		a.stop()
		filling.Wait()
		return nil
	})
}

// minters mints the tokens of apps with API keys of their own with these, and takes those
// of the others from the pool, whose tokens are of the shared keys.
type minters struct {
	shared, own token.Minter
	keys        *apikey.Pool
}

// Mint returns a token that lives for ttl or less.
func (m minters) Mint(ctx context.Context, ttl time.Duration) (token.Minted, error) {
	if m.keys.HasOwn(apikey.AppFrom(ctx)) {
		return m.own.Mint(ctx, ttl)
	}
	return m.shared.Mint(ctx, ttl)
}
