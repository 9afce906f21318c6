package ratelimit

import (
	"strconv"
	"testing"
)

func TestExhaustedLimitIsRememberedUntilItsWindowEnds(t *testing.T) {
	t.Parallel()
	var e exhausted
	k := limitKey{"token-user", "demo:asha"}
	if e.get(k, 100) != 0 {
		t.Error("an unknown limit is exhausted")
	}
	e.add(k, 142, 100)
	for now, want := range map[int64]int64{100: 142, 141: 142, 142: 0, 200: 0} {
		if got := e.get(k, now); got != want {
			t.Errorf("at %d: got %d, want %d", now, got, want)
		}
	}
	if e.get(limitKey{"token-user", "demo:ravi"}, 100) != 0 {
		t.Error("the limit of another user is exhausted")
	}
}

func TestRememberedLimitsAreBounded(t *testing.T) {
	t.Parallel()
	var e exhausted
	for i := range 2 * maxExhausted {
		e.add(limitKey{"a", strconv.Itoa(i)}, 142, 100)
	}
	if len(e.until) != maxExhausted {
		t.Errorf("got %d limits, want %d", len(e.until), maxExhausted)
	}
	last := limitKey{"a", "last"}
	e.add(last, 200, 142) // the windows of the others have ended
	if e.get(last, 142) != 200 || len(e.until) != 1 {
		t.Errorf("got %d limits, want only the last", len(e.until))
	}
}
