package apikey

import (
	"context"
	"time"
)

// Pace is how soon requests may follow each other.
type Pace struct {
	Interval time.Duration // between requests, once the burst is used up
	Burst    int           // requests that may be made at once
	MaxWait  time.Duration // for a turn
}

// Pacer gives turns, in order, to all replicas.
type Pacer interface {
	// Reserve takes the next turn of key, and returns how long the caller must wait for it.
	// ok is false, and no turn is taken, if that is longer than p.MaxWait. Calls with
	// different paces share the turns of key.
	Reserve(ctx context.Context, key string, p Pace) (wait time.Duration, ok bool, err error)
}

// window is the time for which the vendor counts requests.
const window = time.Minute

// paceOf returns the pace at which there are at most rate requests in any window.
func paceOf(rate int, use Use) Pace {
	burst := rate / 6
	if rate >= 4 {
		burst = max(burst, 2) // else polls would leave no turn for urgent requests
	}
	burst = max(burst, 1)
	p := Pace{Interval: window / time.Duration(max(rate-burst, 1)), Burst: burst, MaxWait: use.Wait}
	if !use.Urgent {
		p.Burst = max(burst/2, 1)
	}
	return p
}
