package ratelimit

import (
	"strconv"
	"testing"
)

func TestUsedUpLimitsAreRememberedUntilTheirWindowEnds(t *testing.T) {
	t.Parallel()
	var f full
	p := place{"token-user", "demo:asha"}
	if f.get(p, 100) != 0 {
		t.Error("remembered before it was added")
	}
	f.add(p, 142, 100)
	for now, want := range map[int64]int64{100: 142, 141: 142, 142: 0, 200: 0} {
		if got := f.get(p, now); got != want {
			t.Errorf("at %d: %d, want %d", now, got, want)
		}
	}
	if f.get(place{"token-user", "demo:ravi"}, 100) != 0 {
		t.Error("remembered of somebody else")
	}
}

func TestNoMoreThanSoManyUsedUpLimitsAreRemembered(t *testing.T) {
	t.Parallel()
	var f full
	for i := range 2 * maxFull {
		f.add(place{"a", strconv.Itoa(i)}, 142, 100)
	}
	if len(f.until) != maxFull {
		t.Errorf("%d are remembered", len(f.until))
	}
	last := place{"a", "last"}
	f.add(last, 200, 142) // the others are over, and make room
	if f.get(last, 142) != 200 || len(f.until) != 1 {
		t.Errorf("%d are remembered", len(f.until))
	}
}
