package access_test

import (
	"testing"
	"time"

	"casbroker/internal/store"
)

func TestATokenFromADatabaseThatWasReplacedByAnOlderCopyDoesNotCount(t *testing.T) {
	t.Parallel()
	c := &clock{}
	older, newer := sqlite(t), sqlite(t)
	for range 3 {
		if _, err := loaded(t, newer, c).RevokeUser(t.Context(), operator, rohan); err != nil {
			t.Fatal(err)
		}
	}
	r, there := loaded(t, newer, c), loaded(t, older, c)
	lost := r.version(t, asha)
	if !r.view.Counts(asha, "gr_1", lost) {
		t.Fatal("it does not count at all")
	}
	for what, replica := range map[string]*replica{"one that goes on": r, "one that starts anew": newReplica(older, c, silent{}, time.Hour)} {
		replica.db.Keeper = older
		replica.look(t)
		if replica.view.Counts(asha, "gr_1", lost) || !replica.view.Counts(asha, "gr_2", replica.version(t, asha)) {
			t.Errorf("%s: the token counts, or a new one does not", what)
		}
	}
	for range 2 {
		if _, err := there.RevokeUser(t.Context(), operator, asha); err != nil {
			t.Fatal(err)
		}
		if r.look(t); r.view.Counts(asha, "gr_1", lost) {
			t.Error("the token outlives a revocation")
		}
	}
}

func TestATokenThatKnowsMoreThanAReplicaCountsOnceThatHasLooked(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, db *store.DB) {
		c := &clock{}
		maker, other := loaded(t, db, c), loaded(t, db, c)
		if _, err := maker.RevokeUser(t.Context(), operator, rohan); err != nil {
			t.Fatal(err)
		}
		newest := maker.version(t, asha)
		if !maker.view.Counts(asha, "gr_1", newest) || other.view.Counts(asha, "gr_1", newest) {
			t.Error("it does not count where the change is known, or does where it is not")
		}
		if other.look(t); !other.view.Counts(asha, "gr_1", newest) {
			t.Error("it does not count once the change is known")
		}
	})
}
