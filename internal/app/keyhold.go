package app

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/apikey"
)

// holdTopic is the topic on which replicas tell each other that the vendor accepts no more
// requests of an API key for now.
const holdTopic = "key-hold"

// keyHolds exchanges such messages: milliseconds, a space and the name of the key.
type keyHolds struct {
	pubsub  access.PubSub
	log     *slog.Logger
	running context.Context //nolint:containedctx // ends with the program
	all     sync.WaitGroup
}

// tell tells the other replicas that the key called name rests for d. It does not wait for
// Redis: a replica that is not told learns it from the vendor.
func (h *keyHolds) tell(name string, d time.Duration) {
	h.all.Go(func() {
		if err := h.pubsub.Publish(h.running, holdTopic, strconv.FormatInt(d.Milliseconds(), 10)+" "+name); err != nil {
			h.log.Debug("other replicas do not know that an API key rests", "key_name", name, "error", err)
		}
	})
}

// exchange holds keys of pool as other replicas say, until the program ends.
func (a *App) exchange(h *keyHolds, pool *apikey.Pool) {
	h.all.Go(func() {
		h.pubsub.Subscribe(h.running, holdTopic, func(message string) {
			ms, name, _ := strings.Cut(message, " ")
			if n, err := strconv.ParseUint(ms, 10, 31); err == nil {
				pool.Hold(name, time.Duration(n)*time.Millisecond)
			}
		})
	})
	a.onClose(func() error {
		a.stop()
		h.all.Wait()
		return nil
	})
}
