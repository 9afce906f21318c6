package store

import (
	"fmt"
	"net"
	"time"
)

// idleTimeout is how long a transaction may wait for its next statement before the server
// ends it, with its locks. A replica that is frozen or cut off keeps others from what it has
// locked for no longer.
const idleTimeout = 1500 * time.Millisecond

// The limits of a connection whose packets get no answer: both sides ask again after aliveIdle
// without data, every aliveInterval, and give it up after aliveCount of these, or unackedTimeout
// after data that was not acknowledged.
const (
	aliveIdle      = 5 * time.Second
	aliveInterval  = time.Second
	aliveCount     = 3
	unackedTimeout = 5 * time.Second
)

// frozenCode is the error of a statement in a transaction that was idle for idleTimeout.
const frozenCode = "25P03"

// linkLimits are the limits of a connection on the side of the server.
func linkLimits() sessionLimits {
	seconds := func(d time.Duration) string { return fmt.Sprint(int(d.Seconds())) }
	return sessionLimits{
		{"tcp_keepalives_idle", seconds(aliveIdle)},
		{"tcp_keepalives_interval", seconds(aliveInterval)},
		{"tcp_keepalives_count", fmt.Sprint(aliveCount)},
		{"tcp_user_timeout", fmt.Sprint(unackedTimeout.Milliseconds())},
	}
}

// newDialer returns a net.Dialer with the limits on this side.
func newDialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: aliveIdle, Interval: aliveInterval, Count: aliveCount},
		Control:         limitUnacked,
	}
}
