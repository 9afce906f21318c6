package audit

import (
	"context"
	"crypto/hmac"
	"fmt"
)

// explain finds out in which way e is broken, which stands behind before.
func (v *verification) explain(ctx context.Context, head SealedHead, before, e Entry) (*Break, error) {
	wrong := &Break{Seq: e.Seq, ID: e.ID, Damage: Changed, Detail: "its content is not what was written"}
	place, err := v.written(ctx, e)
	if err != nil {
		return nil, err
	}
	if place != 0 {
		wrong.Damage, wrong.Detail = Reordered, fmt.Sprintf("it was written as record %d", place)
		return wrong, nil
	}
	follows, err := v.follows(ctx, head, e)
	if err != nil {
		return nil, err
	}
	if sum := e.Sum(v.box, before.MAC); follows(sum) {
		wrong.Damage, wrong.Detail = WrongMAC, "its hash was changed, its content was not"
	}
	return wrong, nil
}

// follows returns a test for the hash that e has to have for what stands behind it.
func (v *verification) follows(ctx context.Context, head SealedHead, e Entry) (func(mac []byte) bool, error) {
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

// written looks through the whole chain for the place that e was written to, and
// returns 0 if there is none: then it is not as it was written.
func (v *verification) written(ctx context.Context, e Entry) (int64, error) {
	last := Entry{}
	if place := v.behind(e, last); place != 0 {
		return place, nil
	}
	for {
		page, err := v.chains.Chain(ctx, e.Writer, last.Seq, last.ID, linkPage)
		if err != nil {
			return 0, err
		}
		for _, last = range page {
			if place := v.behind(e, last); place != 0 {
				return place, nil
			}
		}
		if len(page) < linkPage {
			return 0, nil
		}
	}
}

// behind returns the place of e if it was written behind what is now at last: the
// one after it, or, where the two have changed places, its own.
func (v *verification) behind(e, last Entry) int64 {
	mac := e.MAC
	for _, e.Seq = range []int64{last.Seq + 1, last.Seq} {
		if hmac.Equal(mac, e.Sum(v.box, last.MAC)) {
			return e.Seq
		}
	}
	return 0
}
