package cache

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"

	"casbroker/internal/ratelimit"
)

// prefix begins every key, so that one Redis can serve several programs.
const prefix = "cb:"

// owner stands for a subject or an address in keys: 120 bits of its SHA-256. As a
// hash tag it keeps the token and the counts of one user in one slot of a cluster.
type owner struct {
	who   string
	tag   [20]byte // base64url
	shift int64    // moves this owner's windows, so that not all of them end together
}

func ownerOf(who string) owner {
	o := owner{who: who}
	if who == "" {
		return o
	}
	sum := sha256.Sum256([]byte(who))
	base64.RawURLEncoding.Encode(o.tag[:], sum[:15])
	o.shift = int64(binary.BigEndian.Uint32(sum[28:]))
	return o
}

// append appends "cb:{tag}:", or "cb:" for nobody in particular.
func (o *owner) append(b []byte) []byte {
	b = append(b, prefix...)
	if o.who == "" {
		return b
	}
	b = append(b, '{')
	b = append(b, o.tag[:]...)
	return append(b, "}:"...)
}

// window returns the key of the window of h that now lies in, in unix seconds, and
// when that ends. The end is part of the key, so that a window cannot outlive it.
func (o *owner) window(h ratelimit.Hit, now int64) (string, int64) {
	period := max(int64(h.Rate.Period/time.Second), 1)
	ends := now + period - (now+o.shift)%period
	b := o.append(make([]byte, 0, 64))
	b = append(b, h.Rule...)
	b = append(b, ':')
	return string(strconv.AppendInt(b, ends, 36)), ends
}

// token returns the key of the token that was asked for with this many minutes.
func (o *owner) token(minutes int) string {
	b := o.append(make([]byte, 0, 64))
	b = append(b, "token:"...)
	return string(strconv.AppendInt(b, int64(minutes), 10))
}
