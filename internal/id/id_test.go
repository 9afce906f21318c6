package id_test

import (
	"slices"
	"testing"

	"casbroker/internal/id"
)

func TestIDsSayWhatTheyNameAndDoNotRepeat(t *testing.T) {
	t.Parallel()
	var list []string
	for range 1000 {
		made := id.New("pf")
		if !id.Is("pf", made) || id.Is("gr", made) || len(made) != 29 {
			t.Fatalf("made %q", made)
		}
		list = append(list, made)
	}
	slices.Sort(list)
	if n := len(slices.Compact(list)); n != 1000 {
		t.Errorf("%d of 1000 are different", n)
	}
}

func TestWhatIsNoIDIsTold(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "pf_", "pf", "pf_01K2V5X0000000000000000000", "pf_01k2v5x000000000000000000", "pf_' OR 1=1 --000000000000000"} {
		if id.Is("pf", s) {
			t.Errorf("%q was taken", s)
		}
	}
}
