package access_test

import (
	"testing"
	"time"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestTokenIsNotValidAfterAnOlderDatabaseIsRestored(t *testing.T) {
	t.Parallel()
	c := &clock{}
	older, newer := storetest.New(t), storetest.New(t)
	for range 3 {
		if _, err := loaded(t, newer, c).RevokeUser(t.Context(), operator, rohan); err != nil {
			t.Fatal(err)
		}
	}
	r, there := loaded(t, newer, c), loaded(t, older, c)
	lost := r.version(t, asha)
	if !r.view.Valid(asha, "gr_1", lost) {
		t.Fatal("the token is not valid before the restore")
	}
	for name, replica := range map[string]*replica{"running replica": r, "restarted replica": newReplica(older, c, noMessages{}, time.Hour)} {
		replica.db.Store = older
		replica.refresh(t)
		if replica.view.Valid(asha, "gr_1", lost) || !replica.view.Valid(asha, "gr_2", replica.version(t, asha)) {
			t.Errorf("%s: the old token is valid, or a new one is not", name)
		}
	}
	for range 2 {
		if _, err := there.RevokeUser(t.Context(), operator, asha); err != nil {
			t.Fatal(err)
		}
		if r.refresh(t); r.view.Valid(asha, "gr_1", lost) {
			t.Error("the token is valid after a revocation with a lower version")
		}
	}
}

func TestTokenWithANewerVersionIsValidAfterARefresh(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := &clock{}
		maker, other := loaded(t, db, c), loaded(t, db, c)
		if _, err := maker.RevokeUser(t.Context(), operator, rohan); err != nil {
			t.Fatal(err)
		}
		newest := maker.version(t, asha)
		if !maker.view.Valid(asha, "gr_1", newest) || other.view.Valid(asha, "gr_1", newest) {
			t.Error("the token is not valid where the change is known, or is valid where it is not")
		}
		if other.refresh(t); !other.view.Valid(asha, "gr_1", newest) {
			t.Error("the token is not valid after the refresh")
		}
	})
}
