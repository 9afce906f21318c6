package cache

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"

	"casbroker/internal/ratelimit"
)

// DefaultPrefix starts every key and channel, so that several programs can share one Redis,
// unless RedisOptions have another one for a second deployment.
const DefaultPrefix = "cb:"

// owner represents a subject or an address in keys: 120 bits of its SHA-256. As a hash
// tag it keeps the token and the counters of one user in one slot of a cluster.
type owner struct {
	who    string
	tag    [20]byte // base64url
	offset int64    // offset of its windows in seconds, so that those of all owners do not end together
}

func ownerOf(who string) owner {
	o := owner{who: who}
	if who == "" {
		return o
	}
	sum := sha256.Sum256([]byte(who))
	base64.RawURLEncoding.Encode(o.tag[:], sum[:15])
	o.offset = int64(binary.BigEndian.Uint32(sum[28:]))
	return o
}

// append appends "cb:{tag}:" for the prefix "cb:", or the prefix alone for the owner "", which
// all callers share.
func (o *owner) append(b []byte, prefix string) []byte {
	b = append(b, prefix...)
	if o.who == "" {
		return b
	}
	b = append(b, '{')
	b = append(b, o.tag[:]...)
	return append(b, "}:"...)
}

// appendWindowKey appends the key of the window of h that contains now. It also returns the
// window's end; both times are in unix seconds. The end is part of the key, so a window cannot
// outlive it.
func (o *owner) appendWindowKey(b []byte, prefix string, h ratelimit.Hit, now int64) ([]byte, int64) {
	period := max(int64(h.Rate.Period/time.Second), 1)
	ends := now + period - (now+o.offset)%period
	b = o.append(b, prefix)
	b = append(b, h.Rule...)
	b = append(b, ':')
	return strconv.AppendInt(b, ends, 36), ends
}

// appendTokenKey appends the key of the token that was requested for this many minutes.
func (o *owner) appendTokenKey(b []byte, prefix string, minutes int, gateway bool) []byte {
	b = o.append(b, prefix)
	b = append(b, "token:"...)
	if gateway {
		b = append(b, "gateway:"...)
	}
	return strconv.AppendInt(b, int64(minutes), 10)
}
