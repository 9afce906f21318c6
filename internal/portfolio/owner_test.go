package portfolio_test

import (
	"testing"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// panHashes uses the visible characters of pan as their hashes.
func panHashes(pan string) []byte {
	hashes := make([]byte, portfolio.PANHashSize*len(pan))
	for i := range len(pan) {
		if pan[i] != '*' {
			hashes[portfolio.PANHashSize*i] = pan[i]
		}
	}
	return hashes
}

func TestOwnerIsTheOneWhosePANMatchesMost(t *testing.T) {
	t.Parallel()
	type saved struct {
		owner int
		pan   string
	}
	for name, c := range map[string]struct {
		saved []saved
		pan   string
		owner int
		other bool
	}{
		"the first statement gets the first owner":                {nil, "AAAPZ9999A", 1, false},
		"the first statement may have no PAN":                     {nil, "", 1, false},
		"the same PAN is the same owner":                          {[]saved{{1, "AAAPZ9999A"}}, "AAAPZ9999A", 1, false},
		"another PAN is another owner":                            {[]saved{{1, "AAAPZ9999A"}}, "BBBPZ8888B", 2, true},
		"one character that differs is enough":                    {[]saved{{1, "AAAPZ9999A"}}, "********9B", 2, true},
		"a masked PAN that agrees is the same owner":              {[]saved{{1, "AAAPZ9999A"}}, "AA******9A", 1, false},
		"two masks that show nothing in common agree":             {[]saved{{1, "AAA*******"}}, "********9A", 1, false},
		"all that was seen of an owner's PAN counts":              {[]saved{{1, "AAA*******"}, {1, "********9A"}}, "AAB*****9A", 2, true},
		"PAN characters of several statements are combined":       {[]saved{{1, "A********A"}, {2, "AA********"}, {2, "********9A"}}, "AA******9A", 2, false},
		"the owner with more matching characters":                 {[]saved{{1, "AA********"}, {2, "AA******9A"}}, "AAAPZ9999A", 2, false},
		"the lower owner number at equal matches":                 {[]saved{{2, "********9A"}, {1, "AA********"}}, "AA******9A", 1, false},
		"an owner that contradicts is passed over":                {[]saved{{1, "BBBPZ8888B"}, {2, ""}}, "AAAPZ9999A", 2, true},
		"another person is flagged each time":                     {[]saved{{1, "AAAPZ9999A"}, {2, "BBBPZ8888B"}}, "BBBPZ8888B", 2, true},
		"no PAN goes to the first owner":                          {[]saved{{2, "BBBPZ8888B"}, {1, "AAAPZ9999A"}}, "", 1, false},
		"a fully masked PAN goes to the first owner":              {[]saved{{1, "AAAPZ9999A"}, {2, "BBBPZ8888B"}}, "**********", 1, false},
		"no PAN goes to the first remaining owner":                {[]saved{{3, "BBBPZ8888B"}, {2, "AAAPZ9999A"}}, "", 2, false},
		"a PAN joins the statements without one":                  {[]saved{{1, ""}}, "AAAPZ9999A", 1, false},
		"a third PAN has the number after the highest":            {[]saved{{4, "AAAPZ9999A"}, {2, "BBBPZ8888B"}}, "CCCPZ7777C", 5, true},
		"a contradiction counts despite statements without a PAN": {[]saved{{1, ""}, {1, "AAAPZ9999A"}, {1, ""}}, "BBBPZ8888B", 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ranks []portfolio.Rank
			for _, s := range c.saved {
				ranks = append(ranks, portfolio.Rank{Owner: s.owner, PANHashes: panHashes(s.pan)})
			}
			if owner, other := portfolio.OwnerOf(ranks, panHashes(c.pan)); owner != c.owner || other != c.other {
				t.Errorf("got owner %d, other %t; want %d, %t", owner, other, c.owner, c.other)
			}
		})
	}
}

func TestRankPrefersTheMostCompleteAndLatestStatement(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ better, worse portfolio.Rank }{
		"a depository before one with funds only, even if older": {
			portfolio.Rank{CASType: statement.NSDL, To: "2020-03-31", SavedAt: noon},
			portfolio.Rank{CASType: statement.CAMSKFintech, To: "2026-03-31", SavedAt: noon.Add(time.Hour)},
		},
		"the later end of the period, whichever depository": {
			portfolio.Rank{CASType: statement.CDSL, To: "2026-03-31", SavedAt: noon},
			portfolio.Rank{CASType: statement.NSDL, To: "2026-02-28", SavedAt: noon.Add(time.Hour)},
		},
		"a stated period before none": {
			portfolio.Rank{CASType: statement.CDSL, To: "2020-03-31", SavedAt: noon},
			portfolio.Rank{CASType: statement.CDSL, SavedAt: noon.Add(time.Hour)},
		},
		"the later arrival": {
			portfolio.Rank{ID: "pf_1", CASType: statement.CDSL, To: "2026-03-31", SavedAt: noon.Add(time.Millisecond)},
			portfolio.Rank{ID: "pf_2", CASType: statement.CDSL, To: "2026-03-31", SavedAt: noon},
		},
		"the id, if everything else is equal": {
			portfolio.Rank{ID: "pf_2", CASType: statement.CDSL, To: "2026-03-31", SavedAt: noon},
			portfolio.Rank{ID: "pf_1", CASType: statement.CDSL, To: "2026-03-31", SavedAt: noon},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.better.Compare(c.worse) <= 0 || c.worse.Compare(c.better) >= 0 {
				t.Error("got the worse portfolio ranked higher")
			}
		})
	}
}
