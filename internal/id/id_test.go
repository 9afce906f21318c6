package id_test

import (
	"slices"
	"testing"

	"casbroker/internal/id"
)

func TestNewIDsHaveTheirPrefixAndDiffer(t *testing.T) {
	t.Parallel()
	var ids []string
	for range 1000 {
		made := id.New("pf")
		if !id.Is("pf", made) || id.Is("gr", made) || len(made) != 29 {
			t.Fatalf("got %q, want pf_ and 26 characters", made)
		}
		ids = append(ids, made)
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 1000 {
		t.Errorf("got %d different ids, want 1000", n)
	}
}

func TestIsRefusesOtherText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "pf_", "pf", "pf_01K2V5X0000000000000000000", "pf_01k2v5x000000000000000000", "pf_' OR 1=1 --000000000000000"} {
		if id.Is("pf", s) {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestIDsSortInTheOrderInWhichTheyWereMade(t *testing.T) {
	t.Parallel()
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = id.New("x")
	}
	if !slices.IsSorted(ids) {
		t.Error("got ids out of order")
	}
}
