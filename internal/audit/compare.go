package audit

import (
	"context"
	"crypto/hmac"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// links compares each chain with what the writers of others found when they began.
func (v *verification) links(ctx context.Context) error {
	for _, number := range slices.Sorted(maps.Keys(v.heads)) {
		h := v.heads[number]
		if h.Links == nil || v.damaged[number] { // Links is part of the head's seal
			continue
		}
		var s State
		if err := json.Unmarshal(h.Links, &s); err != nil {
			return fmt.Errorf("decode the links of writer %s: %w", h.Writer, err)
		}
		if err := v.compare(ctx, s, "when writer "+h.Writer+" last began"); err != nil {
			return err
		}
	}
	return nil
}

// anchor compares the chains with a.
func (v *verification) anchor(ctx context.Context, a Anchor) error {
	return v.compare(ctx, a.State, "at the time of the anchor, "+a.At.Format(time.RFC3339))
}

// compare reports the first chain that is not a continuation of that in s, and of which no
// damage was reported. when says when s was true.
func (v *verification) compare(ctx context.Context, s State, when string) error {
	for i, was := range s {
		number := int64(i) + 1
		if v.damaged[number] {
			continue
		}
		wrong, err := v.continues(ctx, number, was)
		if err != nil {
			return err
		}
		if wrong == nil {
			continue
		}
		v.damaged[number] = true
		wrong.Detail += " " + when
		v.broken(*wrong)
	}
	return nil
}

// continues returns how the chain of the writer with this number is not a continuation of
// was, nil if it is.
func (v *verification) continues(ctx context.Context, number int64, was Length) (*Break, error) {
	head, err := v.headWith(ctx, number, was.Seq)
	if err != nil {
		return nil, err
	}
	switch {
	case head.Writer == "":
		return &Break{Seq: number, Damage: NoWriter, Detail: fmt.Sprintf("it is missing; it had %d records", was.Seq)}, nil
	case head.Seq < was.Seq:
		return &Break{Writer: head.Writer, Seq: head.Seq + 1, Damage: CutOff, Detail: fmt.Sprintf("the chain had %d records", was.Seq)}, nil
	case was.Seq < max(head.Stump.Seq, 1):
		return nil, nil // what it had is removed by now, or it had nothing
	}
	mac, err := v.macAt(ctx, head, was.Seq)
	if err != nil || was.matches(mac) {
		return nil, err
	}
	return &Break{Writer: head.Writer, Seq: was.Seq, Damage: Rewritten, Detail: "another record had this number"}, nil
}

// headWith returns the head of the writer with this number. It reads it again if the chain
// was shorter than seq, since it may have begun or grown meanwhile.
func (v *verification) headWith(ctx context.Context, number, seq int64) (SealedHead, error) {
	if head, known := v.heads[number]; known && head.Seq >= seq {
		return head, nil
	}
	found, err := v.chains.Heads(ctx, number-1, 1)
	if err != nil || len(found) == 0 || found[0].Number != number || !hmac.Equal(found[0].Seal, found[0].Sum(v.box)) {
		return v.heads[number], err
	}
	return found[0], nil
}

// macAt returns the MAC of the entry seq of the chain that ends with head.
func (v *verification) macAt(ctx context.Context, head SealedHead, seq int64) ([]byte, error) {
	switch seq {
	case head.Seq:
		return head.MAC, nil
	case head.Stump.Seq:
		return head.Stump.MAC, nil
	}
	found, err := v.chains.Chain(ctx, head.Writer, seq, "", 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].MAC, nil
}
