package ratelimit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ulule/limiter/v3"
)

// The fields of draft-ietf-httpapi-ratelimit-headers-11, in Go's canonical form. The
// limit that all callers share is left out: section 8.2 warns against disclosing how
// much load a server can take. So are limits that refuse nothing, for which no caller
// should wait.
const (
	headerPolicy = "Ratelimit-Policy"
	headerState  = "Ratelimit"
)

// policy returns the value of RateLimit-Policy: name, quota and window in seconds
// of each rule (section 3). It is nil if no rule may be disclosed.
func policy(rules []*rule) []string {
	var items []string
	for _, r := range rules {
		if r.disclosed() {
			items = append(items, fmt.Sprintf("%q;q=%d;w=%d", r.name, r.rate.Limit, int64(r.rate.Period.Seconds())))
		}
	}
	if items == nil {
		return nil
	}
	return []string{strings.Join(items, ", ")}
}

func (r *rule) disclosed() bool { return r.scope != allCallers && !r.observed }

// appendState appends the item of r to a RateLimit value: how many requests are left
// for how many seconds (section 4.1).
func appendState(b []byte, r *rule, state limiter.Context, now int64) []byte {
	if !r.disclosed() {
		return b
	}
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(b, r.itemStart...)
	b = strconv.AppendInt(b, max(state.Remaining, 0), 10)
	b = append(b, ";t="...)
	return strconv.AppendInt(b, r.secondsLeft(state.Reset, now), 10)
}

// secondsLeft returns how many seconds of the window that ends at reset are left.
// Reset is rounded up and now down, so their difference may exceed the period by one.
func (r *rule) secondsLeft(reset, now int64) int64 {
	return min(max(reset-now, 0), int64(r.rate.Period/time.Second))
}
