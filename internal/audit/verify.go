package audit

import (
	"context"
	"crypto/hmac"
	"fmt"
	"math"

	"casbroker/internal/secret"
)

// Damage is the kind of damage to a chain.
type Damage string

// The kinds of damage.
const (
	Changed   Damage = "changed"    // the content of an entry was changed
	WrongMAC  Damage = "wrong_mac"  // only the hash of an entry was changed
	Missing   Damage = "missing"    // an entry is missing, later ones exist
	CutOff    Damage = "cut_off"    // an entry and all later ones are missing
	Reordered Damage = "reordered"  // an entry was moved to another position
	WrongHead Damage = "wrong_head" // the head was changed, or is older than the last entry
	NoHead    Damage = "no_head"    // a writer has entries but no head
	NoWriter  Damage = "no_chain"   // all entries and the head of a writer are missing
	Added     Damage = "added"      // an entry was added to a chain, or without one
	Rewritten Damage = "rewritten"  // a chain differs from what a later one or an anchor found
)

// Break is the first damage found in a chain.
type Break struct {
	Writer string // "" for NoWriter and for records without a chain
	Seq    int64  // of the entry; of the last one for WrongHead; the number of the writer for NoWriter; 0 without a chain
	ID     string // of the record, "" if it is missing
	Damage Damage
	Detail string // a sentence for people
}

// String describes b in one line.
func (b Break) String() string {
	where := fmt.Sprintf("writer %s, record %d", b.Writer, b.Seq)
	switch {
	case b.Writer == "" && b.Seq == 0:
		where = "records without a chain"
	case b.Writer == "":
		where = fmt.Sprintf("writer number %d", b.Seq)
	case b.ID != "":
		where += " (" + b.ID + ")"
	}
	return where + ": " + string(b.Damage) + ": " + b.Detail
}

// Report is the result of a verification.
type Report struct {
	Writers   int64
	Records   int64 // intact ones
	Unchained int64 // records from before chains existed, which cannot be verified
	Broken    int64 // damaged chains
}

// How many items are held in memory at a time.
const (
	linkPage = 1000
	headPage = 100
)

// Verify checks all chains and calls report with the first damage in each damaged one, and
// with each difference from what anchors say. Records may be appended meanwhile. An error
// means that the verification could not be finished, not that there is damage.
//
// Without an anchor, Verify cannot detect that someone restored an earlier state of the
// whole database, or removed the newest writers with all their entries; an anchor shows
// both, as far as they are older than it. Verify cannot tell whether an erasure or someone
// else removed the address and user agent of a record.
func (s *Service) Verify(ctx context.Context, report func(Break), anchors ...Anchor) (Report, error) {
	v := verification{chains: s.Chains, box: s.Box, onBreak: report, heads: map[int64]SealedHead{}, damaged: map[int64]bool{}}
	for _, check := range []func(context.Context) error{v.withHead, v.withoutHead, v.withoutChain, v.links} {
		if err := check(ctx); err != nil {
			return v.report, err
		}
	}
	for _, a := range anchors {
		if err := v.anchor(ctx, a); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

type verification struct {
	chains  ChainReader
	box     *secret.Box
	onBreak func(Break)
	report  Report
	heads   map[int64]SealedHead // of all chains, by number
	damaged map[int64]bool       // the numbers of writers whose damage was reported
}

func (v *verification) broken(b Break) {
	v.report.Broken++
	v.onBreak(b)
}

// withHead verifies the chains that have a head.
func (v *verification) withHead(ctx context.Context) error {
	for number := int64(0); ; {
		heads, err := v.chains.Heads(ctx, number, headPage)
		if err != nil {
			return err
		}
		for _, h := range heads {
			if h.Number != number+1 {
				v.broken(Break{Seq: number + 1, Damage: NoWriter, Detail: fmt.Sprintf(
					"writers %d to %d are missing with all their records", number+1, h.Number-1)})
				for n := number + 1; n < h.Number; n++ {
					v.damaged[n] = true
				}
			}
			number = h.Number
			v.report.Writers++
			v.heads[number] = h
			if err := v.chain(ctx, h); err != nil {
				return err
			}
		}
		if len(heads) < headPage {
			return nil
		}
	}
}

// withoutHead reports the writers that have entries but no head.
func (v *verification) withoutHead(ctx context.Context) error {
	for writer := ""; ; {
		next, headed, err := v.chains.NextWriter(ctx, writer)
		if err != nil || next == "" {
			return err
		}
		writer = next
		if !headed {
			v.report.Writers++
			v.broken(Break{Writer: writer, Damage: NoHead, Detail: "the head of the chain is missing"})
		}
	}
}

// withoutChain compares the number of entries without a chain with the sealed one.
func (v *verification) withoutChain(ctx context.Context) error {
	found, sealed, err := v.chains.Unchained(ctx)
	if err != nil {
		return err
	}
	v.report.Unchained = found
	wrong := Break{Damage: WrongHead, Detail: "their sealed number was changed or removed"}
	switch {
	case !hmac.Equal(sealed.Seal, sealed.Sum(v.box)):
	case found > sealed.Records:
		wrong.Damage, wrong.Detail = Added, fmt.Sprintf("there are %d, there were %d", found, sealed.Records)
	case found < sealed.Records:
		wrong.Damage, wrong.Detail = Missing, fmt.Sprintf("there are %d, there were %d", found, sealed.Records)
	default:
		return nil
	}
	v.broken(wrong)
	return nil
}

// chain verifies the chain that ends with head.
func (v *verification) chain(ctx context.Context, head SealedHead) error {
	last, wrong, err := v.entries(ctx, head)
	if err == nil && wrong == nil {
		wrong, err = v.end(ctx, head, last)
	}
	if wrong != nil {
		wrong.Writer = head.Writer
		v.damaged[head.Number] = true
		v.broken(*wrong)
	}
	return err
}

// entries verifies the entries in order. It returns the last intact one, and the first damage.
func (v *verification) entries(ctx context.Context, head SealedHead) (last Entry, wrong *Break, err error) {
	last = Entry{Writer: head.Writer, Seq: head.Stump.Seq, MAC: head.Stump.MAC}
	if !head.Stump.whole() && !hmac.Equal(head.Stump.Seal, head.Stump.Sum(v.box, head.Writer)) {
		return last, &Break{Seq: last.Seq, Damage: WrongHead, Detail: "the note of what retention has removed was changed"}, nil
	}
	for seq, id := int64(math.MinInt64), ""; ; { // whatever numbers the entries have
		page, err := v.chains.Chain(ctx, head.Writer, seq, id, linkPage)
		if err != nil {
			return last, nil, err
		}
		for _, e := range page {
			switch {
			case e.Seq < 1:
				return last, &Break{Seq: e.Seq, ID: e.ID, Damage: Added, Detail: "no chain has a record with this number"}, nil
			case e.Seq <= head.Stump.Seq:
				return last, &Break{Seq: e.Seq, ID: e.ID, Damage: Added, Detail: "retention had removed the record with this number"}, nil
			case e.Seq <= last.Seq:
				return last, &Break{Seq: e.Seq, ID: e.ID, Damage: Reordered, Detail: "another record has the same number"}, nil
			case e.Seq != last.Seq+1:
				return last, &Break{Seq: last.Seq + 1, Damage: Missing, Detail: fmt.Sprintf("the next existing record is %d", e.Seq)}, nil
			case !hmac.Equal(e.MAC, e.Sum(v.box, last.MAC)):
				wrong, err := v.explain(ctx, head, last, e)
				return last, wrong, err
			case !e.originOK(v.box):
				return last, &Break{Seq: e.Seq, ID: e.ID, Damage: Changed, Detail: "its address or user agent was changed"}, nil
			}
			last, seq, id = e, e.Seq, e.ID
			v.report.Records++
		}
		if len(page) < linkPage {
			return last, nil, nil
		}
	}
}

// end compares the last entry with the head. Entries may have been appended since the head
// was read; then it reads the head again.
func (v *verification) end(ctx context.Context, head SealedHead, last Entry) (*Break, error) {
	wrong := &Break{Seq: last.Seq, ID: last.ID, Damage: WrongHead}
	if !hmac.Equal(head.Seal, head.Sum(v.box)) {
		wrong.Detail = "the head of the chain was changed"
		return wrong, nil
	}
	if last.Seq < head.Seq {
		return &Break{Seq: last.Seq + 1, Damage: CutOff, Detail: fmt.Sprintf("the chain had %d records", head.Seq)}, nil
	}
	if last.Seq == head.Seq {
		return nil, nil
	}
	now, err := v.chains.Heads(ctx, head.Number-1, 1)
	if err != nil {
		return nil, err
	}
	if len(now) == 0 || now[0].Writer != head.Writer || now[0].Seq < last.Seq || !hmac.Equal(now[0].Seal, now[0].Sum(v.box)) {
		wrong.Detail = "the head of the chain is older than the last record"
		return wrong, nil
	}
	return nil, nil
}
