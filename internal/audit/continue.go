package audit

import (
	"context"
	"crypto/hmac"
	"fmt"
	"math"

	"github.com/go-json-experiment/json"

	"casbroker/internal/secret"
)

// CanContinue reports whether another process may extend the chain that ends with head: its
// seal is right, its last entry is there, and all chains continue what its Links say, so that
// newer Links hide nothing. all has the heads of all chains, whose seals are not needed. It does not
// verify earlier entries, of which more entries hide nothing.
func CanContinue(ctx context.Context, chains ChainReader, box *secret.Box, head SealedHead, all []SealedHead) (bool, error) {
	if !hmac.Equal(head.Seal, head.Sum(box)) || !head.Stump.whole() && !hmac.Equal(head.Stump.Seal, head.Stump.Sum(box, head.Writer)) {
		return false, nil
	}
	if ends, err := endsWith(ctx, chains, head); !ends || err != nil {
		return false, err
	}
	var s State
	if err := json.Unmarshal(head.Links, &s); err != nil {
		return false, fmt.Errorf("decode the links of writer %s: %w", head.Writer, err)
	}
	v := verification{chains: chains, box: box, heads: map[int64]SealedHead{}}
	for _, h := range all {
		v.heads[h.Number] = h
	}
	for i, was := range s {
		if wrong, err := v.continues(ctx, int64(i)+1, was); wrong != nil || err != nil {
			return false, err
		}
	}
	return true, nil
}

// endsWith reports whether the last entry of a chain is that of head.
func endsWith(ctx context.Context, chains ChainReader, head SealedHead) (bool, error) {
	if head.Seq <= head.Stump.Seq { // retention has removed all
		left, err := chains.Chain(ctx, head.Writer, math.MinInt64, "", 1)
		return len(left) == 0 && head.Seq == head.Stump.Seq && hmac.Equal(head.MAC, head.Stump.MAC), err
	}
	last, err := chains.Chain(ctx, head.Writer, head.Seq, "", 2)
	return len(last) == 1 && last[0].Seq == head.Seq && hmac.Equal(last[0].MAC, head.MAC), err
}
