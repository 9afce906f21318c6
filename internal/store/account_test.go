package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// folio is a folio of a statement.
type folio struct{ number, holder, pan, isin string }

// folios returns a payload from CAMS with folios, to an investor, for the month that ends on to.
func folios(to, investor, pan string, list ...folio) []byte {
	var accounts []string
	for _, f := range list {
		accounts = append(accounts, fmt.Sprintf(`{"folio_number":%q,"amc":"Sample Mutual Fund","linked_holders":[{"name":%q,"pan":%q},{"name":"Second Example","pan":""}],
			"schemes":[{"isin":%q,"name":"Fund","units":"1.5","value":10}]}`, f.number, f.holder, f.pan, f.isin))
	}
	return fmt.Appendf(nil, `{"meta":{"cas_type":"CAMS_KFINTECH","statement_period":{"from":"%s-01","to":%q}},
		"investor":{"name":%q,"pan":%q},"mutual_funds":[%s]}`, to[:7], to, investor, pan, strings.Join(accounts, ","))
}

// asha's fund house, another one, and people.
const (
	fund, otherFund = "INF109K01Z48", "INF200K01RJ1"
	ashaPAN         = "AAAPZ9999A"
	raviPAN         = "BBBPZ8888B"
)

// mustAccounts reads asha's accounts.
func mustAccounts(t *testing.T, s *store.DB) ([]portfolio.Account, []portfolio.Owner, []portfolio.AccountStatement) {
	t.Helper()
	accounts, owners, statements, err := s.Accounts(t.Context(), "demo:asha")
	if err != nil {
		t.Fatal(err)
	}
	return accounts, owners, statements
}

// ownersOf describes asha's owners: number, name, masked PAN, accounts and whether it is the
// user.
func ownersOf(t *testing.T, s *store.DB) (list []string) {
	t.Helper()
	_, owners, _ := mustAccounts(t, s)
	for _, o := range owners {
		list = append(list, describe(o))
	}
	return list
}

func describe(o portfolio.Owner) string {
	text := fmt.Sprintf("%d %s %s %d", o.Number, o.Name, o.PANMasked, o.Accounts)
	if o.User {
		text += " user"
	}
	return text
}

// codes returns the codes of the warnings of p.
func codes(p portfolio.Portfolio) (list []string) {
	for _, w := range p.Warnings {
		list = append(list, w.Code)
	}
	return list
}

// readAgain reads a portfolio of asha.
func readAgain(t *testing.T, s *store.DB, id string) portfolio.Portfolio {
	t.Helper()
	p, _, err := s.Portfolio(t.Context(), "demo:asha", id, 0, all)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAccountIsRecognizedInStatementsOfAllIssuers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		older := saveLater(t, s, time.Hour, folios("2026-01-31", "Asha Example", ashaPAN, folio{"123 45/0", "Asha Example", ashaPAN, fund}))
		newer := saveLater(t, s, 0, folios("2026-02-28", "Asha Example", ashaPAN,
			folio{"99/1", "Asha Example", ashaPAN, otherFund}, folio{"12345", "ASHA EXAMPLE", ashaPAN, fund}))
		accounts, owners, statements := mustAccounts(t, s)
		if len(accounts) != 2 || len(statements) != 2 || len(owners) != 1 {
			t.Fatalf("got %d accounts of %d owners in %d statements, want 2 of 1 in 2", len(accounts), len(owners), len(statements))
		}
		i := slices.IndexFunc(accounts, func(a portfolio.Account) bool { return a.Number == "12345" })
		if i < 0 {
			t.Fatalf("got %+v, want the number of the statement with the latest period", accounts)
		}
		a := accounts[i]
		if a.Kind != statement.Folio || a.Owner != 1 || a.Institution != "Sample Mutual Fund" || a.Statements != 2 ||
			!a.FirstSeen.Equal(savedAt) || !a.LastSeen.Equal(savedAt.Add(time.Hour)) {
			t.Errorf("got %+v", a)
		}
		holders := []portfolio.Holder{{Name: "ASHA EXAMPLE", PANMasked: "XXXXXX999A"}, {Name: "Second Example"}}
		if !slices.Equal(a.Holders, holders) {
			t.Errorf("got holders %+v, want %+v", a.Holders, holders)
		}
		if older.Accounts[0].ID != a.ID || newer.Accounts[1].ID != a.ID || newer.Accounts[0].ID == a.ID {
			t.Errorf("got %+v and %+v, want account %s in both", older.Accounts, newer.Accounts, a.ID)
		}
		latest := statements[0]
		if latest.PortfolioID != newer.ID || latest.To != "2026-02-28" || latest.CASType != statement.CAMSKFintech || len(latest.Entries) != 2 || latest.Entries[1].Rows != 1 || latest.Entries[1].Owner != 1 ||
			accounts[latest.Entries[1].Account].ID != a.ID {
			t.Errorf("got the statement %+v first, want the latest", latest)
		}
		if got := readAgain(t, s, newer.ID); fmt.Sprintf("%+v", got.Accounts) != fmt.Sprintf("%+v", newer.Accounts) {
			t.Errorf("read as %+v, saved as %+v", got.Accounts, newer.Accounts)
		}
	})
}

func TestAccountsOfSeveralPeopleInOneStatementHaveTheirOwners(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		p := saveLater(t, s, 0, folios("2026-01-31", "Asha Example", ashaPAN, folio{"1", "Asha Example", ashaPAN, fund},
			folio{"2", "Ravi Example", raviPAN, fund}, folio{"3", "Ravi Example", "", fund}))
		for how, p := range map[string]portfolio.Portfolio{"saved": p, "read": readAgain(t, s, p.ID)} {
			var got []string
			for _, o := range p.Owners {
				got = append(got, describe(o))
			}
			if want := []string{"1 Asha Example XXXXXX999A 1", "2 Ravi Example XXXXXX888B 2"}; !slices.Equal(got, want) || p.Owner != 1 {
				t.Errorf("%s: got owner %d, owners %q, want %q", how, p.Owner, got, want)
			}
			if p.Accounts[0].Owner != 1 || p.Accounts[1].Owner != 2 || p.Accounts[2].Owner != 2 {
				t.Errorf("%s: got accounts %+v", how, p.Accounts)
			}
			if got := codes(p); !slices.Equal(got, []string{"several_owners"}) {
				t.Errorf("%s: got warnings %v, want several_owners", how, got)
			}
		}
		if got, want := ownersOf(t, s), []string{"1 Asha Example XXXXXX999A 1 user", "2 Ravi Example XXXXXX888B 2"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestUserIsTheOwnerOfMostStatementsAndADeleteDecidesAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		ravis := saveLater(t, s, 0, owned(statement.CDSL, raviPAN, "2026-03-31"))
		first := saveLater(t, s, time.Hour, owned(statement.CDSL, ashaPAN, "2026-01-31"))
		check := func(when, latest string, others ...string) {
			t.Helper()
			for _, p := range []portfolio.Portfolio{ravis, first} {
				got := slices.Contains(codes(readAgain(t, s, p.ID)), "other_owner")
				if want := slices.Contains(others, p.ID); got != want {
					t.Errorf("%s: got other_owner %t for owner %d, want %t", when, got, p.Owner, want)
				}
			}
			if got, _, err := s.Latest(t.Context(), "demo:asha"); err != nil || got.ID != latest {
				t.Errorf("%s: got latest %q, %v, want %q", when, got.ID, err, latest)
			}
		}
		check("one each", ravis.ID, first.ID)
		second := saveLater(t, s, 2*time.Hour, owned(statement.CDSL, ashaPAN, "2026-02-28"))
		if second.OfOther || len(codes(second)) != 0 {
			t.Errorf("got %v for the second statement, want no warning", codes(second))
		}
		check("two of asha", second.ID, ravis.ID)
		remove(t, s, second.ID)
		check("one each again", ravis.ID, first.ID)
	})
}

func TestDeleteForgetsWhatOnlyThatStatementTold(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		masked := saveLater(t, s, 0, folios("2026-01-31", "Asha Example", "AAXXXXXX9A"))
		full := saveLater(t, s, time.Hour, folios("2026-02-28", "Asha Vijay Example", ashaPAN, folio{"2", "Ravi Example", raviPAN, fund}))
		want := []string{"1 Asha Vijay Example XXXXXX999A 0 user", "2 Ravi Example XXXXXX888B 1"}
		if got := ownersOf(t, s); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		remove(t, s, full.ID)
		if got, want := ownersOf(t, s), []string{"1 Asha Example XXXXXXXX9A 0 user"}; !slices.Equal(got, want) {
			t.Errorf("got %q after the delete, want %q", got, want)
		}
		// Nothing contradicts this one any more.
		if p := saveLater(t, s, 2*time.Hour, folios("2026-03-31", "Asha Example", "AABPZ9999A")); p.Owner != 1 {
			t.Errorf("got owner %d, want 1", p.Owner)
		}
		remove(t, s, masked.ID)
		if got, want := ownersOf(t, s), []string{"1 Asha Example XXXXXX999A 0 user"}; !slices.Equal(got, want) {
			t.Errorf("got %q after the second delete, want %q", got, want)
		}
	})
}

func TestStatementWithoutPANSaysWhatItReplaces(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		mine := folio{"1", "Asha Example", "", fund}
		alone := saveLater(t, s, 0, folios("2026-01-31", "Asha Example", "", mine))
		if !alone.Active || len(alone.Warnings) != 1 || alone.Warnings[0] != portfolio.MissingPAN {
			t.Errorf("got %+v, want missing_pan", alone.Warnings)
		}
		with := saveLater(t, s, time.Hour, folios("2026-02-28", "Asha Example", ashaPAN, folio{"1", "Asha Example", ashaPAN, fund}))
		older := saveLater(t, s, 2*time.Hour, folios("2025-12-31", "Asha Example", "", mine))
		if with.Owner != 1 || !with.Active || older.Owner != 1 || older.Active || older.Warnings[0] != portfolio.MissingPAN {
			t.Errorf("got %+v, then %+v", with, older)
		}
		newer := saveLater(t, s, 3*time.Hour, folios("2026-03-31", "Asha Example", "", mine))
		if newer.Owner != 1 || !newer.Active || len(newer.Warnings) != 1 || newer.Warnings[0] != portfolio.MissingPANActive {
			t.Errorf("got owner %d, active %t, %+v, want the warning that it replaces one with a PAN", newer.Owner, newer.Active, newer.Warnings)
		}
		if got := readAgain(t, s, newer.ID); got.Warnings[0] != portfolio.MissingPANActive {
			t.Errorf("read with %+v", got.Warnings)
		}
		other := saveLater(t, s, 4*time.Hour, folios("2025-10-31", "Ravi Example", "", folio{"2", "Ravi Example", "", fund}))
		if other.Owner != 2 || !slices.Equal(codes(other), []string{"missing_pan"}) {
			t.Errorf("got owner %d, %v for another name, want another owner", other.Owner, codes(other))
		}
		moved := saveLater(t, s, 5*time.Hour, folios("2025-11-30", "", "", folio{"2", "", "", fund}))
		if moved.Owner != 2 {
			t.Errorf("got owner %d for the account of owner 2, want 2", moved.Owner)
		}
	})
}

func TestTextThatIsNoPANIsNoOwner(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		saveLater(t, s, 0, owned(statement.CDSL, ashaPAN, "2026-01-31"))
		for i, text := range []string{"PANNOTAVBL", "APPLIEDFOR", "PEKRN12345", "ABCPE12345", "1234567890", "N.A."} {
			p := saveLater(t, s, time.Hour, owned(statement.CDSL, text, fmt.Sprintf("2025-0%d-28", i+1)))
			if got := codes(p); p.Owner != 1 || p.Active || !slices.Equal(got, []string{"invalid_pan", "missing_pan"}) {
				t.Errorf("%s: got owner %d, active %t, %v, want the inactive one of owner 1 with invalid_pan and missing_pan", text, p.Owner, p.Active, got)
			}
		}
		if got := ownersOf(t, s); len(got) != 1 {
			t.Errorf("got owners %q, want one", got)
		}
	})
}

func TestErasureLeavesNoOwnersAndAccounts(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		saveLater(t, s, 0, folios("2026-01-31", "Asha Example", ashaPAN, folio{"2", "Ravi Example", raviPAN, fund}))
		save(t, s, "demo:ravi", owned(statement.CDSL, raviPAN, "2026-01-31"))
		if n := rows("owners"); n != 3 {
			t.Errorf("got %d owners, want 3", n)
		}
		erase(t, s, "demo:asha")
		accounts, owners, statements := mustAccounts(t, s)
		if n := rows("owners"); n != 1 || len(accounts)+len(owners)+len(statements) != 0 {
			t.Errorf("got %d rows of owners and %v, %v, %v, want those of the other user only", n, accounts, owners, statements)
		}
	})
}

func TestAccountsOfUsersAreNotConnected(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		payload := folios("2026-01-31", "Asha Example", ashaPAN, folio{"2", "Asha Example", ashaPAN, fund})
		mine := saveLater(t, s, 0, payload)
		other := save(t, s, "demo:ravi", payload)
		p, _, err := s.Portfolio(t.Context(), "demo:ravi", other.PortfolioID, 0, all)
		if err != nil || p.Accounts[0].ID == mine.Accounts[0].ID {
			t.Errorf("got account %+v for both users, %v", p.Accounts, err)
		}
	})
}

func TestStatementThatListsNothingHasNoEntries(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		p := saveLater(t, s, 0, folios("2026-01-31", "Asha Example", ashaPAN))
		accounts, _, statements := mustAccounts(t, s)
		if len(accounts) != 0 || len(statements) != 1 || len(statements[0].Entries) != 0 || statements[0].PortfolioID != p.ID || statements[0].Owner != 1 {
			t.Errorf("got accounts %v, statements %+v, want one statement of owner 1 without account", accounts, statements)
		}
	})
}

func TestOperatorsSeeAccountsWithoutNumbersAndNames(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		saveLater(t, s, 0, folios("2026-01-31", "Asha Example", ashaPAN, folio{"1", "Asha Example", ashaPAN, fund}))
		p := saveLater(t, s, time.Hour, folios("2026-02-28", "Asha Example", ashaPAN,
			folio{"1", "Asha Example", ashaPAN, fund}, folio{"2", "Ravi Example", raviPAN, fund}))
		want := []portfolio.AccountMetadata{
			{ID: p.Accounts[0].ID, Kind: statement.Folio, Owner: 1, Statements: 2, FirstSeen: savedAt, LastSeen: savedAt.Add(time.Hour)},
			{ID: p.Accounts[1].ID, Kind: statement.Folio, Owner: 2, Statements: 1, FirstSeen: savedAt.Add(time.Hour), LastSeen: savedAt.Add(time.Hour)},
		}
		for i := range want {
			want[i].FirstSeen, want[i].LastSeen = want[i].FirstSeen.Truncate(time.Millisecond), want[i].LastSeen.Truncate(time.Millisecond)
		}
		for _, limit := range []int{0, 1, 50} {
			got, total, err := s.AccountMetadata(t.Context(), "demo:asha", limit)
			if err != nil || total != 2 || !slices.Equal(got, want[:min(limit, 2)]) {
				t.Errorf("up to %d: got %+v of %d, %v, want %+v of 2", limit, got, total, err, want[:min(limit, 2)])
			}
		}
		if got, total, err := s.AccountMetadata(t.Context(), "demo:ravi", 50); len(got) != 0 || total != 0 || err != nil {
			t.Errorf("got %+v, %d, %v for another user, want none", got, total, err)
		}
	})
}

func TestStatementOfTooManyPeopleIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		people := func(from, n int) []byte {
			var list []folio
			for i := range n {
				list = append(list, folio{fmt.Sprint(i), "", fmt.Sprintf("AAAPZ%04dA", from+i), fund})
			}
			return folios("2026-01-31", "Example Family", "", list...)
		}
		refused := func(payload []byte, want *fault.Fault) {
			t.Helper()
			var got *fault.Fault
			if _, err := s.SavePortfolio(t.Context(), saving(t, "demo:asha", payload)); !errors.As(err, &got) || got.Code != "too_many_owners" || got.Detail != want.Detail {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		refused(people(0, portfolio.MaxOwners+1), portfolio.ErrTooManyStated)
		saveLater(t, s, 0, people(0, portfolio.MaxOwners))
		refused(people(1000, 1), portfolio.ErrTooManyOwners)
		if p := saveLater(t, s, time.Hour, people(5, 1)); p.Owner != 6 {
			t.Errorf("got owner %d for one who is known, want 6", p.Owner)
		}
		if got := ownersOf(t, s); len(got) != portfolio.MaxOwners {
			t.Errorf("got %d owners, want %d", len(got), portfolio.MaxOwners)
		}
	})
}

func TestStatementWithThousandsOfAccountsIsSaved(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		var list []folio
		for i := range 4000 {
			list = append(list, folio{fmt.Sprint(i), fmt.Sprint("Person ", string(rune('A'+i%26))), "", fund})
		}
		p := saveLater(t, s, 0, folios("2026-01-31", "", "", list...))
		if len(p.Owners) != 26 || len(p.Accounts) != 4000 {
			t.Errorf("got %d accounts of %d owners, want 4000 of 26", len(p.Accounts), len(p.Owners))
		}
	})
}
