package app

import (
	"context"
	"log/slog"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/store"
)

// keyEventTimeout bounds how long the event of an API key is tried to be written.
const keyEventTimeout = 10 * time.Second

// keyEvents writes events about API keys.
type keyEvents struct {
	db  *store.DB
	log *slog.Logger
	now func() time.Time
}

// record writes that a key was set aside. It returns at once, since it is called while the
// pool of keys is locked.
func (k keyEvents) record(name string, reason apikey.Reason) {
	if reason == "" {
		return
	}
	at := k.now()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), keyEventTimeout)
		defer cancel()
		if err := k.db.AddKeySetAside(ctx, name, string(reason), at); err != nil {
			k.log.Warn("the event of an API key is lost", "key_name", name, "error", err)
		}
	}()
}
