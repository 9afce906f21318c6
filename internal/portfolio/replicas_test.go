package portfolio_test

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"casbroker/internal/testkit/storetest"
)

// onTwoReplicas runs test on every kind of database, with two brokers that have their own
// connections to one database.
func onTwoReplicas(t *testing.T, test func(t *testing.T, replicas [2]*broker)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		test(t, [2]*broker{serve(t, storetest.Open(t, url, box)), serve(t, storetest.Open(t, url, box))})
	})
}

func TestConcurrentSavesWithOneKeyGetOneAnswer(t *testing.T) {
	t.Parallel()
	onTwoReplicas(t, func(t *testing.T, replicas [2]*broker) {
		const each = 8
		for round := range 3 {
			payload, key := minimal(fmt.Sprint("Fund ", round)), fmt.Sprintf(`"key-%d"`, round)
			replies := make([]reply, 2*each)
			var all sync.WaitGroup
			for i := range replies {
				all.Go(func() {
					for replies[i].status == 0 || replies[i].status == http.StatusConflict { // still at work elsewhere
						replies[i] = replicas[i%2].save("asha", payload, "Idempotency-Key", key)
					}
				})
			}
			all.Wait()
			first := 0
			for _, r := range replies {
				if r.status != http.StatusCreated || !bytes.Equal(r.body, replies[0].body) {
					t.Fatalf("answered %d: %s; another got %s", r.status, r.body, replies[0].body)
				}
				if r.header.Get("Idempotency-Replayed") == "" {
					first++
				}
			}
			if saved := replicas[round%2].list("asha", ""); first != 1 || len(saved) != round+1 {
				t.Errorf("got %d new answers and %d portfolios, want 1 and %d", first, len(saved), round+1)
			}
		}
	})
}

func TestConcurrentSavesWithoutAKeyStoreAStatementOnce(t *testing.T) {
	t.Parallel()
	onTwoReplicas(t, func(t *testing.T, replicas [2]*broker) {
		replies := make([]reply, 16)
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() { replies[i] = replicas[i%2].save("asha", minimal("Fund")) })
		}
		all.Wait()
		created := 0
		for _, r := range replies {
			if r.status == http.StatusCreated {
				created++
			}
		}
		if saved := replicas[0].list("asha", "?active=true"); created != 1 || len(saved) != 1 || len(replicas[1].list("asha", "")) != 1 {
			t.Errorf("got %d created and the portfolios %+v, want 1", created, saved)
		}
	})
}
