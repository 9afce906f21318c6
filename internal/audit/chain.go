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
	originPurpose = "audit origin"
)

// Entry is a Record as it is kept: a link in the chain of one writer. What was kept
// before there were chains has no Writer.
type Entry struct {
	Record
	Writer string // "wr_…"
	Seq    int64  // place in the chain, from 1 on
	Origin []byte // keyed hash of where the request came from, which may be taken out of the Record later
	MAC    []byte // the Sum of the entry
}

// canonical is an Entry in the form that is hashed. What it looks like must never
// change, or every chain would seem broken.
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

// Sum returns the keyed hash over e and, through its hash, all that stands before
// it in the chain. before is nil for the first.
func (e Entry) Sum(box *secret.Box, before []byte) []byte {
	return box.Digest(chainPurpose, append(append([]byte{}, before...), encode(canonical{
		Writer: e.Writer, Seq: e.Seq, ID: e.ID, AtMS: e.At.UnixMilli(), Actor: e.Actor, Role: e.Role, Action: e.Action,
		Subject: e.Subject, Object: e.Object, Outcome: e.Outcome, Detail: e.Detail,
		RequestID: e.RequestID, Origin: e.Origin,
	})...))
}

// origin returns the keyed hash of where r came from.
func (r Record) origin(box *secret.Box) []byte {
	return box.Digest(originPurpose, encode([]string{r.Address, r.UserAgent}))
}

// traced reports whether e says where it came from as it was written, or says
// nothing of it any more: it was taken out when its subject was erased.
func (e Entry) traced(box *secret.Box) bool {
	return e.Address == "" && e.UserAgent == "" || hmac.Equal(e.Origin, e.origin(box))
}

// Head says how far the chain of one writer goes.
type Head struct {
	Writer string
	Place  int64  // among the writers, from 1 on; none is left out
	Seq    int64  // of the newest entry, 0 for none
	MAC    []byte // the newest entry's, nil for none
}

// Next returns r as the entry that follows on h, and the head that it makes.
func (h Head) Next(box *secret.Box, r Record) (Entry, Head) {
	e := Entry{Record: r, Writer: h.Writer, Seq: h.Seq + 1, Origin: r.origin(box)}
	e.MAC = e.Sum(box, h.MAC)
	h.Seq, h.MAC = e.Seq, e.MAC
	return e, h
}

// Sum returns the keyed hash over h. Who has none of an earlier moment at hand
// cannot make the chain shorter than it is.
func (h Head) Sum(box *secret.Box) []byte {
	return box.Digest(headPurpose, encode(struct {
		Writer string `json:"writer"`
		Place  int64  `json:"place"`
		Seq    int64  `json:"seq"`
		MAC    []byte `json:"mac"`
	}{h.Writer, h.Place, h.Seq, h.MAC}))
}

// encode cannot fail for what is hashed here: it has only texts, numbers and bytes.
func encode(v any) []byte {
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err)
	}
	return b
}

// SealedHead is a Head as it is kept.
type SealedHead struct {
	Head
	Seal []byte // the Sum of the head
}
