package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/usage"
)

// counted returns all counts of step in the order of usage.Compare.
func counted(t *testing.T, s *store.DB, step usage.Step) []usage.Count {
	t.Helper()
	list, err := s.Counts(t.Context(), step, savedAt.AddDate(-1, 0, 0), savedAt.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(list, func(a, b usage.Count) int { return a.At.Compare(b.At) }) {
		t.Errorf("not ordered by time: %v", list)
	}
	slices.SortFunc(list, usage.Compare)
	return list
}

func TestCountsAreAddedToStoredOnes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		at := savedAt.Truncate(time.Minute)
		one := []usage.Count{
			{Step: usage.Minute, At: at, Series: usage.Refused, Label: "invalid_token", N: 2},
			{Step: usage.Minute, At: at, Series: usage.Called, Label: "ok", N: 1, Took: 1500 * time.Microsecond},
			{Step: usage.Minute, At: at.Add(-time.Minute), Series: usage.Minted, N: 1},
			{Step: usage.Hour, At: at.Truncate(time.Hour), Series: usage.Minted, N: 1},
			{Step: usage.Minute, At: at, Series: usage.Called, Label: "ok", N: 2, Took: time.Hour}, // the same count again
		}
		for range 3 {
			if err := s.AddCounts(t.Context(), one); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.AddCounts(t.Context(), nil); err != nil {
			t.Errorf("nothing to add: %v", err)
		}
		want := []usage.Count{
			{Step: usage.Minute, At: at.Add(-time.Minute), Series: usage.Minted, N: 3},
			{Step: usage.Minute, At: at, Series: usage.Called, Label: "ok", N: 9, Took: 3 * (time.Hour + 1500*time.Microsecond)},
			{Step: usage.Minute, At: at, Series: usage.Refused, Label: "invalid_token", N: 6},
		}
		if got := counted(t, s, usage.Minute); !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
		if got := counted(t, s, usage.Hour); len(got) != 1 || got[0].N != 3 {
			t.Errorf("by hour %v", got)
		}
		part, err := s.Counts(t.Context(), usage.Minute, at.Add(-time.Minute), at)
		if err != nil || len(part) != 1 || part[0].Series != usage.Minted {
			t.Errorf("from one minute to the next: %v, %v", part, err)
		}
	})
}

func TestReplicasAddToTheSameCountsWithoutLossOrDeadlock(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		replicas := openTwice(t, url)
		const writers, flushes, labels = 6, 5, 251 // a prime, so every stride visits all labels
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				counts := make([]usage.Count, 0, labels)
				for l := range labels { // each writer in another order
					label := fmt.Sprintf("code_%03d", (l*(2*w+1)+w)%labels)
					counts = append(counts, usage.Count{Step: usage.Minute, At: savedAt.Truncate(time.Minute), Series: usage.Refused, Label: label, N: 1})
				}
				for range flushes {
					if err := replicas[w%2].AddCounts(t.Context(), counts); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writing.Wait()
		got := counted(t, replicas[1], usage.Minute)
		if len(got) != labels || slices.ContainsFunc(got, func(c usage.Count) bool { return c.N != writers*flushes }) {
			t.Errorf("got %d counts, the first %v", len(got), got[0])
		}
	})
}

func TestOldCountsOfOneStepAreDeleted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		const many = 2500 // more than one batch
		counts := make([]usage.Count, 0, many+3)
		for i := range many {
			counts = append(counts, usage.Count{
				Step: usage.Minute, At: savedAt.Add(-time.Duration(i+1) * time.Minute), Series: usage.Minted, N: 1})
		}
		counts = append(counts,
			usage.Count{Step: usage.Minute, At: savedAt, Series: usage.Minted, N: 1},
			usage.Count{Step: usage.Hour, At: savedAt.Add(-time.Hour), Series: usage.Minted, N: 1})
		if err := s.AddCounts(t.Context(), counts); err != nil {
			t.Fatal(err)
		}
		if err := s.DropCounts(t.Context(), usage.Minute, savedAt); err != nil {
			t.Fatal(err)
		}
		if got := counted(t, s, usage.Minute); len(got) != 1 || !got[0].At.Equal(savedAt) {
			t.Errorf("remaining: %v", got)
		}
		if got := counted(t, s, usage.Hour); len(got) != 1 {
			t.Errorf("remaining by hour: %v", got)
		}
	})
}
