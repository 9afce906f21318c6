package audit

import (
	"context"
	"crypto/hmac"
	"fmt"
)

// explain returns how e, the entry after before, is damaged.
func (v *verification) explain(ctx context.Context, head SealedHead, before, e Entry) (*Break, error) {
	wrong := &Break{Seq: e.Seq, ID: e.ID, Damage: Changed, Detail: "its content was changed"}
	seq, err := v.originalSeq(ctx, e)
	if err != nil {
		return nil, err
	}
	if seq != 0 {
		wrong.Damage, wrong.Detail = Reordered, fmt.Sprintf("it was written as record %d", seq)
		return wrong, nil
	}
	isMAC, err := v.macCheck(ctx, head, e)
	if err != nil {
		return nil, err
	}
	if sum := e.Sum(v.box, before.MAC); isMAC(sum) {
		wrong.Damage, wrong.Detail = WrongMAC, "its hash was changed, its content was not"
	}
	return wrong, nil
}

// macCheck returns a function that reports whether mac fits the entry after e, or the head if
// e is the last entry.
func (v *verification) macCheck(ctx context.Context, head SealedHead, e Entry) (func(mac []byte) bool, error) {
	next, err := v.chains.Chain(ctx, e.Writer, e.Seq, e.ID, 1)
	switch {
	case err != nil:
		return nil, err
	case len(next) == 1 && next[0].Seq == e.Seq+1:
		return func(mac []byte) bool { return hmac.Equal(next[0].MAC, next[0].Sum(v.box, mac)) }, nil
	default:
		return func(mac []byte) bool { return head.Seq == e.Seq && hmac.Equal(head.MAC, mac) }, nil
	}
}

// originalSeq searches the whole chain for the position where the MAC of e is valid. It
// returns 0 if there is none, which means that the content of e was changed.
func (v *verification) originalSeq(ctx context.Context, e Entry) (int64, error) {
	last := Entry{}
	if seq := v.seqAfter(e, last); seq != 0 {
		return seq, nil
	}
	for {
		page, err := v.chains.Chain(ctx, e.Writer, last.Seq, last.ID, linkPage)
		if err != nil {
			return 0, err
		}
		for _, last = range page {
			if seq := v.seqAfter(e, last); seq != 0 {
				return seq, nil
			}
		}
		if len(page) < linkPage {
			return 0, nil
		}
	}
}

// seqAfter returns the original Seq of e if its MAC follows that of last: the Seq after
// last, or the Seq of last itself if the two were swapped; else 0.
func (v *verification) seqAfter(e, last Entry) int64 {
	mac := e.MAC
	for _, e.Seq = range []int64{last.Seq + 1, last.Seq} {
		if hmac.Equal(mac, e.Sum(v.box, last.MAC)) {
			return e.Seq
		}
	}
	return 0
}
