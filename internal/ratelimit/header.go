package ratelimit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ulule/limiter/v3"
)

// The fields of draft-ietf-httpapi-ratelimit-headers-11, as Go spells them. What
// everybody together may do is left out: section 8.2 warns of telling strangers
// how much a server can take.
const (
	headerPolicy = "Ratelimit-Policy"
	headerState  = "Ratelimit"
)

// policy returns the value of RateLimit-Policy: name, quota and window in seconds
// of each rule (section 3). It is nil when there is nothing to tell.
func policy(rules []*rule) []string {
	var items []string
	for _, r := range rules {
		if r.of != ofAll {
			items = append(items, fmt.Sprintf("%q;q=%d;w=%d", r.name, r.rate.Limit, int64(r.rate.Period.Seconds())))
		}
	}
	if items == nil {
		return nil
	}
	return []string{strings.Join(items, ", ")}
}

// appendState appends the item that tells how much of r is left for how many
// seconds (section 4.1).
func appendState(b []byte, r *rule, state limiter.Context, now int64) []byte {
	if r.of == ofAll {
		return b
	}
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(b, r.state...)
	b = strconv.AppendInt(b, max(state.Remaining, 0), 10)
	b = append(b, ";t="...)
	return strconv.AppendInt(b, max(state.Reset-now, 0), 10)
}
