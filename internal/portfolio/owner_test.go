package portfolio_test

import (
	"slices"
	"testing"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// person is a Person whose hashes are the visible characters of pan.
func person(name, pan string) portfolio.Person {
	hashes := make([]byte, portfolio.PANHashSize*len(pan))
	for i := range len(pan) {
		if pan[i] != '*' {
			hashes[portfolio.PANHashSize*i] = pan[i]
		}
	}
	return portfolio.Person{Name: name, PANHashes: hashes}
}

// known returns owners 1, 2, … with this number of statements each.
func known(people []portfolio.Person, statements ...int) (owners []portfolio.KnownOwner) {
	for i, p := range people {
		owners = append(owners, portfolio.KnownOwner{Number: i + 1, Person: p, Statements: statements[i]})
	}
	return owners
}

// The three people of these tests. Their PANs differ.
const (
	asha, ashaPAN = "Asha Vijay Example", "AAAPZ9999A"
	ravi, raviPAN = "Ravi Example", "BBBPZ8888B"
	dev, devPAN   = "Master Dev Example (Minor)", "CCCPZ7777C"
)

func TestStatementIsOfTheOwnerWhosePANMatchesMost(t *testing.T) {
	t.Parallel()
	type owners []string // their PANs
	for name, c := range map[string]struct {
		known owners
		pan   string
		owner int
		other bool
	}{
		"the first statement gets the first owner":         {nil, ashaPAN, 1, false},
		"the first statement may have no PAN":              {nil, "", 1, false},
		"the same PAN is the same owner":                   {owners{ashaPAN}, ashaPAN, 1, false},
		"another PAN is another owner":                     {owners{ashaPAN}, raviPAN, 2, true},
		"one character that differs is enough":             {owners{ashaPAN}, "********9B", 2, true},
		"a masked PAN that agrees is the same owner":       {owners{ashaPAN}, "AA******9A", 1, false},
		"two masks that show nothing in common agree":      {owners{"AAA*******"}, "********9A", 1, false},
		"the owner with more matching characters":          {owners{"AA********", "AA******9A"}, ashaPAN, 2, false},
		"the lower owner number at equal matches":          {owners{"AA********", "********9A"}, "AA******9A", 1, false},
		"an owner that contradicts is passed over":         {owners{raviPAN, ""}, ashaPAN, 2, true},
		"another person is flagged each time":              {owners{ashaPAN, raviPAN}, raviPAN, 2, true},
		"no PAN and no name goes to the user":              {owners{ashaPAN, raviPAN}, "", 1, false},
		"a fully masked PAN goes to the user":              {owners{ashaPAN, raviPAN}, "**********", 1, false},
		"a PAN joins the statements without name and PAN":  {owners{""}, ashaPAN, 1, false},
		"a third PAN has the number after the highest one": {owners{ashaPAN, raviPAN}, devPAN, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var people []portfolio.Person
			for _, pan := range c.known {
				people = append(people, person("", pan))
			}
			got := portfolio.FindOwners(known(people, 1, 1), portfolio.Stated{Investor: person("", c.pan)})
			if got.Owner != c.owner || got.Other != c.other {
				t.Errorf("got owner %d, other %t; want %d, %t", got.Owner, got.Other, c.owner, c.other)
			}
		})
	}
}

func TestAccountsAreOfTheirHolders(t *testing.T) {
	t.Parallel()
	type people = []portfolio.Person
	nobody := person("", "")
	both := known(people{person(asha, ashaPAN), person(ravi, raviPAN)}, 2, 1)
	for name, c := range map[string]struct {
		known    []portfolio.KnownOwner
		investor portfolio.Person
		accounts people
		before   []int
		owner    int
		want     []int
	}{
		"each account has the owner that it states": {
			nil, person(asha, ashaPAN), people{person(asha, ashaPAN), person(ravi, raviPAN), person(dev, devPAN)}, nil, 1, []int{1, 2, 3},
		},
		"known owners keep their numbers": {
			both, person(ravi, raviPAN), people{person(dev, devPAN), person(asha, "AAA*****9A"), person(ravi, raviPAN)}, nil, 2, []int{3, 1, 2},
		},
		"a header without a PAN is the holder of its name": {
			nil, person(ravi, ""), people{person(asha, ashaPAN), person("RAVI  EXAMPLE", raviPAN)}, nil, 2, []int{1, 2},
		},
		"a header of another name is the user who has an account": {
			both, person("Example Family", ""), people{person(ravi, raviPAN), person(ravi, raviPAN), person(asha, ashaPAN)}, nil, 1, []int{2, 2, 1},
		},
		"an empty header is the owner of most accounts": {
			known(people{person(dev, devPAN)}, 1), nobody, people{person(asha, ashaPAN), person(ravi, raviPAN), person(ravi, raviPAN)}, nil, 3, []int{2, 3, 3},
		},
		"an account without a PAN is of the holder of its name": {
			nil, person(asha, ashaPAN), people{person("Ravi Example", ""), person(ravi, raviPAN), person("Mrs. ASHA V EXAMPLE", "")}, nil, 1, []int{2, 2, 1},
		},
		"an account without a PAN is of a known owner of its name": {
			both, person(asha, ashaPAN), people{person("RAVI EXAMPLE", "")}, nil, 1, []int{2},
		},
		"an account of a new name without a PAN is of a new owner": {
			both, person(asha, ashaPAN), people{person(dev, ""), person("Dev Example", "")}, nil, 1, []int{3, 3},
		},
		"an account that states nobody is of the investor": {
			both, person(ravi, raviPAN), people{nobody, nobody}, nil, 2, []int{2, 2},
		},
		"an account without a PAN keeps its owner": {
			both, person("A. Example", ""), people{person("A. Example", ""), nobody}, []int{1, 2}, 1, []int{1, 2},
		},
		"an account with the PAN of another person changes its owner": {
			both, person(asha, ashaPAN), people{person(ravi, raviPAN)}, []int{1}, 1, []int{2},
		},
		"of two owners whose PAN may be the same, the account's own": {
			known(people{person("", "AA********"), person("", "********9A")}, 1, 1), nobody, people{person("", "AA******9A")}, []int{2}, 2, []int{2},
		},
		"of two owners whose PAN may be the same, the one with its name": {
			known(people{person(ravi, "AA********"), person(asha, "********9A")}, 1, 1), person(asha, "AA******9A"), people{nobody}, nil, 2, []int{2},
		},
		"a name without a PAN gets a PAN": {
			known(people{person(ravi, raviPAN), person(dev, "")}, 1, 1), person(ravi, raviPAN), people{person("Dev Example", devPAN)}, nil, 1, []int{2},
		},
		"another name without a PAN does not get that PAN": {
			known(people{person(dev, "")}, 1), person(ravi, raviPAN), people{person(ravi, raviPAN)}, nil, 2, []int{2},
		},
		"without any name and PAN all is the user's": {
			known(people{person(asha, ashaPAN), person(ravi, raviPAN)}, 1, 2), nobody, people{nobody, nobody}, nil, 2, []int{2, 2},
		},
		"without anything known all is of one owner": {
			nil, nobody, people{nobody, nobody}, nil, 1, []int{1, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := c.before
			if before == nil {
				before = make([]int, len(c.accounts))
			}
			got := portfolio.FindOwners(c.known, portfolio.Stated{Investor: c.investor, Accounts: c.accounts, Before: before})
			if got.Owner != c.owner || !slices.Equal(got.Accounts, c.want) {
				t.Errorf("got owner %d, accounts of %v; want %d, %v", got.Owner, got.Accounts, c.owner, c.want)
			}
		})
	}
}

func TestStatementWithoutAnyPANIsFlagged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		investor, account portfolio.Person
		missing           bool
	}{
		"none":                     {person(asha, ""), person(asha, ""), true},
		"a fully masked one":       {person(asha, "**********"), person(asha, ""), true},
		"in the header":            {person(asha, "AA********"), person(asha, ""), false},
		"at an account":            {person(asha, ""), person(asha, ashaPAN), false},
		"of another person's fund": {person(asha, ""), person(ravi, raviPAN), false},
	} {
		got := portfolio.FindOwners(nil, portfolio.Stated{Investor: c.investor, Accounts: []portfolio.Person{c.account}, Before: []int{0}})
		if got.MissingPAN != c.missing {
			t.Errorf("%s: got missing %t, want %t", name, got.MissingPAN, c.missing)
		}
	}
}

func TestUserIsTheOwnerOfMostStatements(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statements []int
		user       int
	}{
		"nobody":                  {nil, 0},
		"no statements":           {[]int{0, 0}, 0},
		"the only one":            {[]int{1}, 1},
		"the first of equals":     {[]int{2, 2, 1}, 1},
		"the one with more":       {[]int{1, 3, 2}, 2},
		"not one without any now": {[]int{0, 1}, 2},
	} {
		people := make([]portfolio.Person, len(c.statements))
		if got := portfolio.UserOf(known(people, c.statements...)); got != c.user {
			t.Errorf("%s: got owner %d, want %d", name, got, c.user)
		}
	}
}

func TestOtherOwnerContradictsTheUserAndNotTheFirstOwner(t *testing.T) {
	t.Parallel()
	people := []portfolio.Person{person(ravi, raviPAN), person(asha, ashaPAN)}
	for pan, other := range map[string]bool{ashaPAN: false, "AA******9A": false, raviPAN: true, devPAN: true, "": false} {
		got := portfolio.FindOwners(known(people, 1, 2), portfolio.Stated{Investor: person("", pan)})
		if got.Other != other {
			t.Errorf("%q: got other %t, want %t", pan, got.Other, other)
		}
	}
}

func TestKnowledgeOfAPersonDoesNotDependOnTheOrderOfStatements(t *testing.T) {
	t.Parallel()
	parts := []portfolio.Person{person("Asha V Example", "AAA*******"), person(asha, "********9A"), person("", "")}
	parts[0].PANMasked, parts[1].PANMasked = "XXXXXXXXXA", "XXXXXXXX9A"
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		var got portfolio.Person
		for _, i := range order {
			got = got.Merge(parts[i])
		}
		if want := person(asha, "AAA*****9A"); got.Name != asha || got.PANMasked != "XXXXXXXX9A" || !slices.Equal(got.PANHashes, want.PANHashes) {
			t.Errorf("order %v: got %+v, want %+v", order, got, want)
		}
	}
}

func TestSameName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Asha Example", "ASHA  example", true},
		{"Mrs. Asha Example", "EXAMPLE ASHA", true},
		{"Asha V Example", "Asha Vijay Example", true},
		{"Asha Vijay Exam", "Asha Vijay Example", true},
		{"Asha Example", "Asha Vijay Example", true},
		{"Master Dev Example (Minor)", "Dev Example", true},
		{"Asha", "Asha", true},
		{"Asha", "Asha Example", false},
		{"A Example", "Asha Example", false},
		{"A V Example", "Asha Vijay Example", false},
		{"Vijay Example", "Asha Vijay Example", false},
		{"Vijay Example", "Vijay Example HUF", false},
		{"Asha Example", "Ravi Example", false},
		{"", "", false},
		{"(Minor)", "Mr", false},
	} {
		if got, back := portfolio.SameName(c.a, c.b), portfolio.SameName(c.b, c.a); got != c.same || back != c.same {
			t.Errorf("%q, %q: got %t and %t, want %t", c.a, c.b, got, back, c.same)
		}
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
