package cache

import "testing"

// In a cluster go-redis would send the commands of a broken connection again.
func TestIncrementIsNeverRetried(t *testing.T) {
	t.Parallel()
	if !newIncrBy(t.Context(), "cb:token-all:x", 1).NoRetry() {
		t.Error("an INCRBY may be retried")
	}
}
