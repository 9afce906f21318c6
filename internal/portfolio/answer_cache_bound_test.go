package portfolio

import (
	"fmt"
	"testing"

	"casbroker/internal/httpapi"
)

func TestAnswersInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	var c answerCache
	keyOf := func(user int) *answerKey { return &answerKey{subject: fmt.Sprint("demo:", user)} }
	put := func(user, size int) {
		t.Helper()
		a, err := httpapi.NewAnswer("application/json", make([]byte, size), false)
		if err != nil {
			t.Fatal(err)
		}
		c.put(&cachedAnswer{key: *keyOf(user), version: "1", Answer: a})
	}
	const size, users = 100 << 10, 400
	for user := range users {
		put(user, size)
		if c.get(keyOf(0)) == nil {
			t.Fatalf("got no answer for the user who reads all the time, after %d users", user)
		}
		if c.bytes > answerCacheBytes {
			t.Fatalf("got %d bytes, want at most %d", c.bytes, answerCacheBytes)
		}
	}
	if c.get(keyOf(1)) != nil || c.get(keyOf(users-1)) == nil {
		t.Error("the answers that were not used for longest did not go first")
	}
	if n := len(c.entries); n != c.order.Len() || n < answerCacheBytes/size*9/10 {
		t.Errorf("got %d answers, %d of them in order, want what fits into the memory", n, c.order.Len())
	}

	put(users, maxCachedAnswer+1)
	if c.get(keyOf(users)) != nil {
		t.Error("an answer that is too long was kept")
	}
	c.sweep()
	put(1, size)
	c.get(keyOf(2))
	if c.get(keyOf(users-1)) == nil {
		t.Error("an answer was forgotten at the first sweep after its use")
	}
	c.sweep()
	if len(c.entries) != 2 || c.sweeper == nil {
		t.Errorf("got %d answers after two sweeps, want the two that were used between them", len(c.entries))
	}
	c.drop(keyOf(users - 1))
	c.drop(keyOf(1))
	c.drop(keyOf(2))
	if len(c.entries) != 0 || c.order.Len() != 0 || c.bytes != 0 {
		t.Errorf("got %d answers, %d in order, %d bytes, want none", len(c.entries), c.order.Len(), c.bytes)
	}
	c.sweep()
	if c.sweeper != nil {
		t.Error("an empty cache is swept")
	}
}
