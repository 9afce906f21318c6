package audit

import (
	"crypto/hmac"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/secret"
)

// The purposes of the keyed hashes.
const (
	chainPurpose  = "audit chain"
	headPurpose   = "audit head"
	stumpPurpose  = "audit stump"
	originPurpose = "audit origin"
)

// Entry is a stored Record: a link in the chain of one writer. Records from before chains
// existed have no Writer.
type Entry struct {
	Record
	Writer string // "wr_…"
	Seq    int64  // position in the chain, from 1
	Origin []byte // keyed hash of the address and user agent, which may be removed from the Record later
	MAC    []byte // the Sum of this entry
}

// canonical is the form of an Entry that is hashed. It must never change, or Verify would
// report every existing chain as broken.
type canonical struct {
	Writer    string  `json:"writer"`
	Seq       int64   `json:"seq"`
	ID        string  `json:"id"`
	AtMS      int64   `json:"at_ms"`
	Actor     string  `json:"actor"`
	Role      string  `json:"role"`
	Action    Action  `json:"action"`
	Subject   string  `json:"subject"`
	Object    string  `json:"object"`
	Outcome   Outcome `json:"outcome"`
	Detail    string  `json:"detail"`
	RequestID string  `json:"request_id"`
	Origin    []byte  `json:"origin"`
}

// Sum returns the keyed hash over e and before, the MAC of the previous entry, and so over
// all entries up to e. before is nil for the first entry.
func (e Entry) Sum(box *secret.Box, before []byte) []byte {
	return box.Digest(chainPurpose, append(append([]byte{}, before...), encode(canonical{
		Writer: e.Writer, Seq: e.Seq, ID: e.ID, AtMS: e.At.UnixMilli(), Actor: e.Actor, Role: e.Role, Action: e.Action,
		Subject: e.Subject, Object: e.Object, Outcome: e.Outcome, Detail: e.Detail,
		RequestID: e.RequestID, Origin: e.Origin,
	})...))
}

// origin returns the keyed hash of the address and user agent of r.
func (r Record) origin(box *secret.Box) []byte {
	return box.Digest(originPurpose, encode([]string{r.Address, r.UserAgent}))
}

// originOK reports whether the address and user agent of e are the original ones, or were
// removed by an erasure.
func (e Entry) originOK(box *secret.Box) bool {
	return e.Address == "" && e.UserAgent == "" || hmac.Equal(e.Origin, e.origin(box))
}

// Follows reports whether e is intact and follows the entry with the MAC before.
func (e Entry) Follows(box *secret.Box, before []byte) bool {
	return hmac.Equal(e.MAC, e.Sum(box, before)) && e.originOK(box)
}

// Head describes the end of the chain of one writer.
type Head struct {
	Writer string
	Number int64  // of the writer, from 1, without gaps
	Seq    int64  // of the newest entry, 0 if there is none
	MAC    []byte // of the newest entry, nil if there is none
	Links  []byte // the State of all chains when its writer last began, as JSON; nil for chains of before
}

// Next returns the entry for r that follows h, and the head after it.
func (h Head) Next(box *secret.Box, r Record) (Entry, Head) {
	e := Entry{Record: r, Writer: h.Writer, Seq: h.Seq + 1, Origin: r.origin(box)}
	e.MAC = e.Sum(box, h.MAC)
	h.Seq, h.MAC = e.Seq, e.MAC
	return e, h
}

// Sum returns the keyed hash over h. It prevents cutting the chain short, except by someone
// who has an earlier sealed head.
func (h Head) Sum(box *secret.Box) []byte {
	return box.Digest(headPurpose, encode(struct {
		Writer string `json:"writer"`
		Number int64  `json:"place"` // its name in the hashed form
		Seq    int64  `json:"seq"`
		MAC    []byte `json:"mac"`
		Links  []byte `json:"links,omitzero"`
	}{h.Writer, h.Number, h.Seq, h.MAC, h.Links}))
}

// encode returns v as JSON. It cannot fail for the strings, numbers and bytes hashed here.
func encode(v any) []byte {
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err)
	}
	return b
}

// Stump is the part of a chain that its retention has removed: the entries up to Seq. The
// zero Stump is that of a whole chain.
type Stump struct {
	Seq  int64
	MAC  []byte // of the entry Seq
	Seal []byte // the Sum
}

// Sum returns the keyed hash over t and the chain's writer. It prevents removing entries
// other than by retention.
func (t Stump) Sum(box *secret.Box, writer string) []byte {
	return box.Digest(stumpPurpose, encode(struct {
		Writer string `json:"writer"`
		Seq    int64  `json:"seq"`
		MAC    []byte `json:"mac"`
	}{writer, t.Seq, t.MAC}))
}

// whole reports whether t is the zero Stump.
func (t Stump) whole() bool { return t.Seq == 0 && len(t.MAC) == 0 && len(t.Seal) == 0 }

// SealedHead is a stored Head.
type SealedHead struct {
	Head
	Seal  []byte // the Sum of Head
	Stump Stump
}

// Unchained is the number of entries without a chain.
type Unchained struct {
	Records int64
	Seal    []byte // the Sum
}

// Sum returns the keyed hash over u. It prevents adding entries without a chain.
func (u Unchained) Sum(box *secret.Box) []byte {
	return box.Digest("audit unchained", encode(u.Records))
}
