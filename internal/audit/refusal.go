package audit

import "net/netip"

// The refusals of one minute that become records of their own: at some 500 bytes each, less
// than 90 MB a day and replica in the worst case.
const (
	maxPerAddress = 10
	maxPerMinute  = 120
)

// maxReasons bounds the reasons that are counted separately; the broker has fewer.
const maxReasons = 50

// otherReason is counted instead of further reasons.
const otherReason = "other"

// refusals counts the refusals of one minute. The zero value is empty.
type refusals struct {
	byAddress map[string]int   // records of their own, of at most maxPerMinute addresses
	records   int              // of their own
	rest      map[string]int64 // the others, by reason
}

// admit reports whether a refusal becomes a record of its own, which requires a free slot in
// the queue; otherwise it counts the refusal.
func (r *refusals) admit(address, reason string, free bool) bool {
	address = network(address)
	if free && r.records < maxPerMinute && r.byAddress[address] < maxPerAddress {
		if r.byAddress == nil {
			r.byAddress = map[string]int{}
		}
		r.byAddress[address]++
		r.records++
		return true
	}
	if r.rest == nil {
		r.rest = map[string]int64{}
	}
	if _, known := r.rest[reason]; !known && len(r.rest) >= maxReasons {
		reason = otherReason
	}
	r.rest[reason]++
	return false
}

// reset empties r and returns the refusals without records of their own, by reason.
func (r *refusals) reset() map[string]int64 {
	rest := r.rest
	*r = refusals{}
	return rest
}

// network returns the network of one subscriber: an IPv4 address, or the /64 of an IPv6 one.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	prefix, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
