package portfolio

import (
	"context"
	"errors"
	"sync"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/id"
)

const (
	// keyLease is how long a key stays claimed after its process died. The lease is extended
	// every keyBeat while the request runs.
	keyLease = 2 * time.Second
	keyBeat  = keyLease / 4
	// keyWatch is how long an ended lease is watched before another request gets the key: the
	// clocks of two replicas may differ, and the database may have been unavailable.
	keyWatch = 2 * keyBeat
)

// newClaim returns a claim of key by a request of who.
func (s *Service) newClaim(who auth.Principal, route, key string) Claim {
	now := s.Now()
	return Claim{
		Subject: who.Subject, Route: keyRoute(route, who), Key: key, Holder: id.New("cl"),
		At: now, Until: now.Add(keyLease), Expires: now.Add(keyTTL),
	}
}

// claimKey claims a key as KeyStore.ClaimKey does. A key whose request has died is claimed
// once its lease has ended, and has not been extended for keyWatch. The caller must end or
// free the heldKey; it is nil if there is an earlier answer.
func (s *Service) claimKey(ctx context.Context, c Claim) (*heldKey, *SaveResult, error) {
	earlier, err := s.Keys.ClaimKey(ctx, c)
	if ended, ok := errors.AsType[*EndedLease](err); ok {
		watch := time.NewTimer(keyWatch)
		defer watch.Stop()
		select {
		case <-watch.C:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
		c.Replaces, c.At = ended, s.Now()
		c.Until, c.Expires = c.At.Add(keyLease), c.At.Add(keyTTL)
		if earlier, err = s.Keys.ClaimKey(ctx, c); errors.As(err, &ended) {
			err = ErrKeyInFlight // it was extended, or another request has replaced it
		}
	}
	if err != nil || earlier != nil {
		return nil, earlier, err
	}
	h := &heldKey{service: s, claim: c, ended: make(chan struct{})}
	h.end = sync.OnceFunc(func() { close(h.ended) })
	go h.extend(context.WithoutCancel(ctx))
	return h, nil, nil
}

// heldKey is a key that a request has claimed. Its lease is extended until it is ended or
// freed.
type heldKey struct {
	service *Service
	claim   Claim
	end     func() // stops extending the lease
	ended   chan struct{}
}

// extend extends the lease until the key is ended, or is lost.
func (h *heldKey) extend(ctx context.Context) {
	beat := time.NewTicker(keyBeat)
	defer beat.Stop()
	for {
		select {
		case <-h.ended:
			return
		case <-beat.C:
		}
		if held, err := h.extendTo(ctx, keyLease); err == nil && !held {
			return
		}
	}
}

func (h *heldKey) extendTo(ctx context.Context, lease time.Duration) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, keyLease)
	defer cancel()
	return h.service.Keys.ExtendKey(ctx, h.claim, h.service.Now().Add(lease))
}

// confirm returns ErrKeyInFlight if another request has got the key: this one was suspended
// for longer than its lease.
func (h *heldKey) confirm(ctx context.Context) error {
	held, err := h.extendTo(ctx, keyLease)
	if err == nil && !held {
		err = ErrKeyInFlight
	}
	return err
}

// claimFor returns the claim of the request once its body is received.
func (h *heldKey) claimFor(body [32]byte) Claim {
	c := h.claim
	c.Body, c.Streamed = body, false
	return c
}

// handOver leaves the key to a stored capture, which has it claimed. It stores the hash of the body,
// unless that is nil, as soon as the database is available.
func (h *heldKey) handOver(ctx context.Context, body *[32]byte) {
	h.end()
	if body == nil {
		return
	}
	claim := h.claimFor(*body)
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	retry := time.NewTicker(keyBeat)
	defer retry.Stop()
	for ctx.Err() == nil {
		if _, err := h.service.Keys.ExtendKey(ctx, claim, claim.Until); err == nil {
			return
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
		}
	}
}

// free releases the key at once. If that fails, the key is free when its lease ends.
func (h *heldKey) free(ctx context.Context) {
	h.end()
	h.service.release(ctx, h.claim)
}
