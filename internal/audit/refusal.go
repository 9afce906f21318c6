package audit

import "net/netip"

// How many refusals of one minute become records of their own: at some 500 bytes
// each, less than 90 MB a day and replica, whatever anybody does.
const (
	ownPerAddress = 10
	ownOfAll      = 120
)

// maxReasons bounds what is counted apart; the broker has fewer reasons.
const maxReasons = 50

// otherReason is what is counted for reasons beyond that.
const otherReason = "other"

// refusals counts those of one minute. The zero value is empty.
type refusals struct {
	byAddress map[string]int // at most ownOfAll addresses
	own       int
	rest      map[string]int64 // by reason: those that do not become records
}

// admit reports whether a refusal may become a record of its own, for which there
// has to be room, and counts it if it may not.
func (r *refusals) admit(address, reason string, room bool) bool {
	address = network(address)
	if room && r.own < ownOfAll && r.byAddress[address] < ownPerAddress {
		if r.byAddress == nil {
			r.byAddress = map[string]int{}
		}
		r.byAddress[address]++
		r.own++
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

// end returns how many did not become records, by reason, and begins anew.
func (r *refusals) end() map[string]int64 {
	rest := r.rest
	*r = refusals{}
	return rest
}

// network is what one subscriber has: an IPv4 address, or the /64 of an IPv6 one.
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
