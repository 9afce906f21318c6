package audit

import (
	"context"
	"crypto/hmac"
	"fmt"

	"casbroker/internal/secret"
)

// Damage is what is wrong with a link.
type Damage string

// The kinds of damage.
const (
	Changed   Damage = "changed"    // its content is not what was written
	WrongMAC  Damage = "wrong_mac"  // its content is, its hash is not
	Missing   Damage = "missing"    // it is not there, although later ones are
	CutOff    Damage = "cut_off"    // it and all later ones are not there
	Reordered Damage = "reordered"  // it stands in another place than it was written to
	WrongHead Damage = "wrong_head" // what says how far the chain goes is not as it was written
	NoHead    Damage = "no_head"    // the writer's, although it has entries
	NoWriter  Damage = "no_chain"   // a whole writer is not there, head and all
)

// Break is the first broken link of a chain.
type Break struct {
	Writer string // "" for NoWriter
	Seq    int64  // of the link; of the last one for WrongHead; the writer's own place for NoWriter
	ID     string // of the record, "" when that is what is missing
	Damage Damage
	Detail string // a sentence for people
}

// String tells of b in a line.
func (b Break) String() string {
	where := fmt.Sprintf("writer %s, record %d", b.Writer, b.Seq)
	switch {
	case b.Writer == "":
		where = fmt.Sprintf("writer number %d", b.Seq)
	case b.ID != "":
		where += " (" + b.ID + ")"
	}
	return where + ": " + string(b.Damage) + ": " + b.Detail
}

// Report is how a verification ended.
type Report struct {
	Writers   int64
	Records   int64 // that were found to be whole
	Unchained int64 // from before there were chains; nothing can be said of them
	Broken    int64 // chains
}

// How much is held in memory at a time.
const (
	linkPage = 1000
	headPage = 100
)

// Verify goes through all chains and calls tell with the first broken link of each
// that has one, in the order in which they are found. Others may append meanwhile.
// Its error says that it could not be finished, not that something is broken.
//
// It cannot see what somebody does who has an earlier state of the whole database
// at hand: puts that back, or takes away the newest writers with all they wrote. Nor
// can it tell who took an address and a user agent out of a record, as erasures do.
func (s *Service) Verify(ctx context.Context, tell func(Break)) (Report, error) {
	v := verification{chains: s.Chains, box: s.Box, tell: tell}
	if err := v.headed(ctx); err != nil {
		return v.report, err
	}
	if err := v.headless(ctx); err != nil {
		return v.report, err
	}
	var err error
	v.report.Unchained, err = s.Chains.Unchained(ctx)
	return v.report, err
}

type verification struct {
	chains Chains
	box    *secret.Box
	tell   func(Break)
	report Report
}

func (v *verification) broken(b Break) {
	v.report.Broken++
	v.tell(b)
}

// headed verifies the chains that have a head.
func (v *verification) headed(ctx context.Context) error {
	for place := int64(0); ; {
		heads, err := v.chains.Heads(ctx, place, headPage)
		if err != nil {
			return err
		}
		for _, h := range heads {
			if h.Place != place+1 {
				v.broken(Break{Seq: place + 1, Damage: NoWriter, Detail: fmt.Sprintf(
					"nothing is left of the writers from number %d to %d", place+1, h.Place-1)})
			}
			place = h.Place
			v.report.Writers++
			if err := v.chain(ctx, h); err != nil {
				return err
			}
		}
		if len(heads) < headPage {
			return nil
		}
	}
}

// headless tells of the writers that have entries and no head.
func (v *verification) headless(ctx context.Context) error {
	for writer := ""; ; {
		next, headed, err := v.chains.NextWriter(ctx, writer)
		if err != nil || next == "" {
			return err
		}
		writer = next
		if !headed {
			v.report.Writers++
			v.broken(Break{Writer: writer, Damage: NoHead, Detail: "there are records, and nothing says how many there were"})
		}
	}
}

// chain verifies the chain of head, which was read before.
func (v *verification) chain(ctx context.Context, head SealedHead) error {
	last, wrong, err := v.links(ctx, head)
	if err == nil && wrong == nil {
		wrong, err = v.end(ctx, head, last)
	}
	if wrong != nil {
		wrong.Writer = head.Writer
		v.broken(*wrong)
	}
	return err
}

// links goes along the chain to its last link, or the first that is broken.
func (v *verification) links(ctx context.Context, head SealedHead) (last Entry, wrong *Break, err error) {
	last.Writer = head.Writer
	for {
		page, err := v.chains.Chain(ctx, head.Writer, last.Seq, last.ID, linkPage)
		if err != nil {
			return last, nil, err
		}
		for _, e := range page {
			switch {
			case e.Seq <= last.Seq:
				return last, &Break{Seq: e.Seq, ID: e.ID, Damage: Reordered, Detail: "another record has the same place"}, nil
			case e.Seq != last.Seq+1:
				return last, &Break{Seq: last.Seq + 1, Damage: Missing, Detail: fmt.Sprintf("the next that is there is %d", e.Seq)}, nil
			case !hmac.Equal(e.MAC, e.Sum(v.box, last.MAC)):
				wrong, err := v.explain(ctx, head, last, e)
				return last, wrong, err
			case !e.traced(v.box):
				return last, &Break{Seq: e.Seq, ID: e.ID, Damage: Changed, Detail: "where it came from is not what was written"}, nil
			}
			last = e
			v.report.Records++
		}
		if len(page) < linkPage {
			return last, nil, nil
		}
	}
}

// end compares the last link with the head. Both may have gone on since the head
// was read, but only together.
func (v *verification) end(ctx context.Context, head SealedHead, last Entry) (*Break, error) {
	wrong := &Break{Seq: last.Seq, ID: last.ID, Damage: WrongHead}
	if !hmac.Equal(head.Seal, head.Sum(v.box)) {
		wrong.Detail = "what says how far the chain goes was changed"
		return wrong, nil
	}
	if last.Seq < head.Seq {
		return &Break{Seq: last.Seq + 1, Damage: CutOff, Detail: fmt.Sprintf("the chain went on to %d", head.Seq)}, nil
	}
	if last.Seq == head.Seq {
		return nil, nil
	}
	now, err := v.chains.Heads(ctx, head.Place-1, 1)
	if err != nil {
		return nil, err
	}
	if len(now) == 0 || now[0].Writer != head.Writer || now[0].Seq < last.Seq || !hmac.Equal(now[0].Seal, now[0].Sum(v.box)) {
		wrong.Detail = "what says how far the chain goes is older than the last record"
		return wrong, nil
	}
	return nil, nil
}
