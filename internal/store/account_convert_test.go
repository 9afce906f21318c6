package store_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/webhook"
)

// eachMisjudged runs test with portfolios that an earlier release saved: two of owner 1, one of
// owner 2, and one of owner 3, whom that release made of text that is not a PAN.
func eachMisjudged(t *testing.T, test func(t *testing.T, s *store.DB, ids []string)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		s := storetest.Open(t, url, box)
		var ids []string
		for i, payload := range [][]byte{
			folios("2026-03-31", "Asha Example", ashaPAN, folio{"1", "Asha Example", "", fund}), ravis("2026-02-28"),
			folios("2026-02-28", "Asha Example", "AAXXXXXX9A", folio{"1", "Asha Example", "", fund}),
			folios("2026-01-31", "Asha Example", "PANNOTAVBL", folio{"1", "Asha Example", "", fund}),
		} {
			ids = append(ids, saveLater(t, s, time.Duration(i)*time.Hour, payload).ID)
		}
		earlier(t, url, box, ids...)
		misjudge(t, url, ids[3])
		test(t, s, ids)
	})
}

// ravis returns a statement of ravi.
func ravis(to string) []byte {
	return folios(to, "Ravi Example", raviPAN, folio{"2", "Ravi Example", "", fund})
}

// misjudge makes a portfolio the only one of owner 3.
func misjudge(t *testing.T, url, id string) {
	t.Helper()
	_, err := storetest.SQL(t, url).ExecContext(t.Context(), `UPDATE portfolios SET owner = 3, active = 1, pan_marks = $1 WHERE id = $2`,
		bytes.Repeat([]byte{7}, 10*portfolio.PANHashSize), id)
	if err != nil {
		t.Fatal(err)
	}
}

func TestConvertedPortfoliosHaveTheOwnersThatTheyShouldHaveHad(t *testing.T) {
	t.Parallel()
	eachMisjudged(t, func(t *testing.T, s *store.DB, ids []string) {
		if accounts, _, statements := mustAccounts(t, s); len(accounts) != 0 || len(statements) != 4 || !statements[0].Unknown {
			t.Errorf("got accounts %v in statements %+v before the conversion", accounts, statements)
		}
		// Owners of portfolios that are not converted yet are known all the same.
		if p := saveLater(t, s, 5*time.Hour, ravis("2025-12-31")); p.Owner != 2 || !p.OfOther {
			t.Errorf("got owner %d, of another %t, want 2 and true", p.Owner, p.OfOther)
		}
		if done := convertAll(t, s); done.Converted != len(ids) {
			t.Fatalf("got %+v", done)
		}
		for i, want := range []int{1, 2, 1, 1} {
			p := readAgain(t, s, ids[i])
			if p.Owner != want || p.OfOther != (want == 2) || len(p.Owners) != 1 || len(p.Accounts) != 1 || p.Accounts[0].Owner != want {
				t.Errorf("portfolio %d: got owner %d, of another %t, accounts %+v; want owner %d", i, p.Owner, p.OfOther, p.Accounts, want)
			}
		}
		if got := actives(t, s); len(got) != 2 || got[1] != ids[0] || got[2] != ids[1] {
			t.Errorf("got active %v, want one of owner 1 and one of owner 2", got)
		}
		if got := codes(readAgain(t, s, ids[3])); !slices.Contains(got, "invalid_pan") || !slices.Contains(got, "missing_pan") {
			t.Errorf("got warnings %v of the one without a PAN", got)
		}
		_, owners, statements := mustAccounts(t, s)
		if len(owners) != 2 || !owners[0].User || owners[0].Name != "Asha Example" || len(statements) != 5 {
			t.Errorf("got owners %+v, %d statements, want two and five", owners, len(statements))
		}
	})
}

func TestPortfolioOfBeforeIsDeletedBeforeItIsConverted(t *testing.T) {
	t.Parallel()
	eachMisjudged(t, func(t *testing.T, s *store.DB, ids []string) {
		remove(t, s, ids[0])
		remove(t, s, ids[3])
		convertAll(t, s)
		if _, owners, statements := mustAccounts(t, s); len(owners) != 2 || len(statements) != 2 {
			t.Errorf("got owners %+v, statements %+v, want two of each", owners, statements)
		}
	})
}

func TestNamesOfOwnersAreSealedUnderTheNewKeyAfterARotation(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		saveLater(t, v.open(t, "old"), 0, folios("2026-01-31", "Asha Example", ashaPAN, folio{"2", "Ravi Example", raviPAN, fund}))
		before := fmt.Sprint(mustAccounts(t, v.open(t, "old")))
		reseal(t, v.open(t, "new", "old"))
		if after := fmt.Sprint(mustAccounts(t, v.open(t, "new"))); after != before {
			t.Errorf("got %s with the new key, want %s", after, before)
		}
	})
}

func TestAccountsOfUnreadablePortfoliosStayWithoutNumbersAndNames(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		payload := folios("2026-01-31", "Asha Example", ashaPAN, folio{"2", "Asha Example", ashaPAN, fund})
		saveLater(t, v.open(t, "lost"), 0, payload)
		s := v.open(t, "new")
		accounts, owners, statements := mustAccounts(t, s)
		if len(accounts) != 1 || accounts[0].Number != "" || len(accounts[0].Holders) != 0 || accounts[0].Owner != 1 || len(owners) != 1 || owners[0].Name != "" || len(statements) != 1 {
			t.Errorf("got %+v of %+v in %+v without the key", accounts, owners, statements)
		}
		if p := saveLater(t, s, time.Hour, payload); p.Owner != 1 || p.ID != statements[0].PortfolioID {
			t.Errorf("saved again as %s of owner %d, want %s of owner 1", p.ID, p.Owner, statements[0].PortfolioID)
		}
		again, owners, _ := mustAccounts(t, s)
		if len(again) != 1 || again[0].ID != accounts[0].ID || again[0].Number != "2" || owners[0].Name != "Asha Example" {
			t.Errorf("got %+v of %+v after it was saved again", again, owners)
		}
	})
}

func TestOwnersOfUsersErasedByAnEarlierReleaseAreDeleted(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url, storetest.NewBox(t))
		saveLater(t, s, 0, ravis("2026-01-31"))
		save(t, s, "demo:ravi", ravis("2026-01-31"))
		if _, err := storetest.SQL(t, url).ExecContext(t.Context(), `DELETE FROM portfolios WHERE subject = 'demo:asha'`); err != nil {
			t.Fatal(err)
		}
		convertAll(t, s)
		if _, owners, _ := mustAccounts(t, s); len(owners) != 0 {
			t.Errorf("got owners %+v, want none", owners)
		}
		if _, owners, _, err := s.Accounts(t.Context(), "demo:ravi"); len(owners) != 1 || err != nil {
			t.Errorf("got owners %+v, %v of another user, want one", owners, err)
		}
	})
}

func TestConversionSaysThatHoldingsHaveChanged(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		s := storetest.Open(t, url, box)
		of := func(to string) []byte {
			return folios(to, "Asha Example", ashaPAN, folio{"1", "Asha Example", "", fund})
		}
		january, march := saveLater(t, s, 0, of("2026-01-31")).ID, saveLater(t, s, time.Hour, of("2026-03-31")).ID
		ravis := saveLater(t, s, 2*time.Hour, ravis("2026-02-28")).ID
		earlier(t, url, box, january, ravis)
		number(t, s)
		before := eventsAfter(t, s, 0)
		if done := convertAll(t, s); done.Converted != 2 {
			t.Fatalf("got %+v", done)
		}
		number(t, s)
		got := eventsAfter(t, s, before[len(before)-1].Seq)
		if len(got) != 1 || got[0].Type != webhook.HoldingsChanged || got[0].Subject != "demo:asha" || got[0].Object.PortfolioID != ravis || !got[0].At.Equal(savedAt) {
			t.Errorf("got %+v, want that holdings have changed by %s only: %s counts, and %s does not", got, ravis, march, january)
		}
	})
}
