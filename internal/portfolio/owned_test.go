package portfolio_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// isin returns the ISIN with this national number, which has a check digit.
func isin(number string) string {
	digits := ""
	for _, c := range number {
		if c >= 'A' {
			digits += fmt.Sprint(c - 'A' + 10)
		} else {
			digits += string(c)
		}
	}
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return number + fmt.Sprint((10-sum%10)%10)
}

func panOf(owner int) string { return fmt.Sprintf("AAAPZ9%03dA", owner) }

func nameOf(owner int) string { return "EXAMPLE PERSON " + string("ABCD"[owner]) }

// payload returns a statement as the vendor gives it.
func (f *family) payload(s portfolio.AccountStatement) []byte {
	rows := f.rows[s.PortfolioID]
	lists := map[statement.AccountKind][]map[string]any{}
	for index, e := range s.Entries {
		a := f.accounts[e.Account]
		listed := map[string]any{"linked_holders": []map[string]any{{"name": nameOf(a.Owner), "pan": panOf(a.Owner)}}}
		if v := rows.Accounts[index].Value; v.Valid {
			listed["value"] = json.Number(v.Decimal.String())
		}
		var own []map[string]any
		byClass := map[string][]map[string]any{}
		for _, h := range rows.Holdings {
			if h.AccountIndex != index {
				continue
			}
			row := map[string]any{"name": "EXAMPLE " + h.ISIN, "units": 1}
			if h.ISIN != "" {
				row["isin"] = h.ISIN
			}
			if h.Value.Valid {
				row["value"] = json.Number(h.Value.Decimal.String())
			}
			if h.InDemat {
				row["additional_info"] = map[string]any{"is_demat": true}
			}
			own = append(own, row)
			list := map[statement.Class]string{statement.ETF: "etfs", statement.DematMutualFund: "demat_mutual_funds"}[h.Class]
			byClass[list] = append(byClass[list], row)
		}
		switch a.Kind {
		case statement.Demat:
			listed["bo_id"] = "120816000000" + a.ID[3:]
			listed["dp_name"] = "EXAMPLE BROKING"
			listed["holdings"] = byClass
		case statement.Folio:
			listed["folio_number"], listed["amc"], listed["schemes"] = "9000"+a.ID[3:], "Example Mutual Fund", own
		case statement.Pension:
			listed["pran"], listed["cra"], listed["funds"] = "11000000"+a.ID[3:], "EXAMPLE CRA", own
		}
		lists[a.Kind] = append(lists[a.Kind], listed)
	}
	if s.Rejected > 0 {
		lists[statement.Demat][0]["holdings"].(map[string][]map[string]any)["futures"] = []map[string]any{{"name": "EXAMPLE FUTURE"}}
	}
	meta := map[string]any{"cas_type": s.CASType}
	if s.To != "" {
		meta["statement_period"] = map[string]any{"from": s.To[:8] + "01", "to": s.To}
	}
	body, err := json.Marshal(map[string]any{
		"meta": meta, "investor": map[string]any{"name": nameOf(s.Owner), "pan": panOf(s.Owner)},
		"demat_accounts": lists[statement.Demat], "mutual_funds": lists[statement.Folio], "nps": lists[statement.Pension],
	})
	if err != nil {
		panic(err)
	}
	return body
}

// newSavedFamily generates a family whose statements can be saved, in the order in which
// they are.
func newSavedFamily(rng *rand.Rand) *family {
	f := newFamily(rng)
	for i := range f.accounts { // the last four characters identify it
		f.accounts[i].ID = fmt.Sprintf("ac_%d", 1000+i)
	}
	saved := f.statements[:0]
	for _, s := range f.statements {
		old := f.rows[s.PortfolioID]
		var rows portfolio.Rows
		var listed []portfolio.AccountEntry
		demat := false
		for index, e := range s.Entries {
			var own []statement.Holding
			for _, h := range old.Holdings {
				if h.AccountIndex == index {
					own = append(own, savable(h, len(listed)))
				}
			}
			if len(own) == 0 { // without rows, a folio is not recognised
				continue
			}
			demat = demat || f.accounts[e.Account].Kind == statement.Demat
			rows.Accounts, rows.Holdings, listed = append(rows.Accounts, old.Accounts[index]), append(rows.Holdings, own...), append(listed, e)
		}
		if len(listed) == 0 {
			continue
		}
		if !demat {
			s.Rejected = 0
		}
		s.Entries, s.SavedAt, f.rows[s.PortfolioID] = listed, savedAt(len(saved)), rows
		saved = append(saved, s)
	}
	f.statements = saved
	return f
}

// savable returns h with an ISIN and the class that it is read with, in the account with this
// index.
func savable(h statement.Holding, account int) statement.Holding {
	if h.AccountIndex = account; h.ISIN != "" {
		h.ISIN = isin("INF200K01" + h.ISIN[3:] + "0")
	}
	if h.Class == statement.Equity {
		h.Class = statement.ETF
	}
	return h
}

// savedAt is when the statement with this number is saved, from 0.
func savedAt(number int) time.Time { return begin.AddDate(0, 2, 5*number) }

// ownedAnswer has the members of GET /v1/holdings that tests check.
type ownedAnswer struct {
	TotalValue string  `json:"total_value"`
	OldestAsOf *string `json:"oldest_as_of"`
	Complete   bool    `json:"complete"`
	Notices    []struct {
		Code        string  `json:"code"`
		PortfolioID string  `json:"portfolio_id"`
		AccountID   *string `json:"account_id"`
		Rows        *int    `json:"rows"`
	} `json:"notices"`
	Owners []struct {
		Number    int    `json:"number"`
		PANMasked string `json:"pan_masked"`
		Name      string `json:"name"`
		Accounts  int    `json:"accounts"`
		Value     string `json:"value"`
		Rows      int    `json:"rows"`
	} `json:"owners"`
	Classes []struct {
		Class *string `json:"class"`
		Value string  `json:"value"`
		Rows  int     `json:"rows"`
	} `json:"classes"`
	Accounts   []accountAnswer `json:"accounts"`
	Holdings   []ownedRow      `json:"holdings"`
	NextCursor *string         `json:"next_cursor"`
}

type accountAnswer struct {
	ID           string  `json:"id"`
	Kind         string  `json:"kind"`
	NumberMasked string  `json:"number_masked"`
	Owner        int     `json:"owner"`
	EndedOn      *string `json:"ended_on"`
	PortfolioID  string  `json:"portfolio_id"`
	AsOf         *string `json:"as_of"`
	Provenance   string  `json:"provenance"`
	Value        *string `json:"value"`
	Rows         int     `json:"rows"`
	Statements   []struct {
		PortfolioID string  `json:"portfolio_id"`
		Value       string  `json:"value"`
		AsOf        *string `json:"as_of"`
		Counts      bool    `json:"counts"`
	} `json:"statements"`
}

type ownedRow struct {
	row
	ISIN        *string `json:"isin"`
	AccountID   string  `json:"account_id"`
	PortfolioID string  `json:"portfolio_id"`
	AsOf        *string `json:"as_of"`
	Provenance  string  `json:"provenance"`
	Owner       int     `json:"owner"`
}

// read gets path and decodes the answer into to.
func (b *broker) read(user, path string, to any) {
	b.t.Helper()
	r := b.get(user, path)
	if r.status != http.StatusOK {
		b.t.Fatalf("%s: got %d: %s", path, r.status, r.body)
	}
	if err := json.Unmarshal(r.body, to); err != nil {
		b.t.Fatalf("%v in %s", err, r.body)
	}
}

func rat(t *testing.T, text string) *big.Rat {
	t.Helper()
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return value
}

// totals are those of the answer, named as in family.want.
func (a ownedAnswer) totals(t *testing.T) totals {
	t.Helper()
	sums := totals{}
	rows := 0
	owners := map[int]string{}
	for _, o := range a.Owners {
		owners[o.Number] = fmt.Sprintf("owner %s", strings.TrimSuffix(strings.TrimLeft(strings.TrimPrefix(o.PANMasked, "XXXXXX"), "0"), "A"))
		sums.add(rat(t, o.Value), o.Rows, owners[o.Number])
	}
	for _, c := range a.Classes {
		name := ""
		if c.Class != nil {
			name = *c.Class
		}
		sums.add(rat(t, c.Value), c.Rows, "class "+name)
	}
	for _, account := range a.Accounts {
		sums.add(rat(t, *account.Value), account.Rows, "account ac_"+account.NumberMasked[len(account.NumberMasked)-4:])
		rows += account.Rows
	}
	if len(a.Accounts) > 0 {
		sums.add(rat(t, a.TotalValue), rows, "all")
	}
	byRow := new(big.Rat)
	for _, r := range a.Holdings {
		if r.Value != nil {
			byRow.Add(byRow, rat(t, *r.Value))
		}
	}
	if byRow.Cmp(rat(t, a.TotalValue)) != 0 || len(a.Holdings) != rows {
		t.Errorf("%d rows of %s, want %d of %s", len(a.Holdings), byRow.FloatString(9), rows, a.TotalValue)
	}
	return sums
}

// TestHoldingsOfSavedStatementsAreTheirUnion saves the statements of generated families and
// compares what the users then own, now, by issuer and earlier, with the union of the
// statements.
func TestHoldingsOfSavedStatementsAreTheirUnion(t *testing.T) {
	t.Parallel()
	from := *seed
	for from == 0 {
		from = rand.Uint64() //nolint:gosec // tests need no secret numbers
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := serve(t, db)
		for i := range 1 + *families/50 {
			f := newSavedFamily(rand.New(rand.NewPCG(from, uint64(i)))) //nolint:gosec // as above, and i is not negative
			user := fmt.Sprint("family-", i)
			for _, s := range f.statements {
				b.clock.Store(int64(s.SavedAt.Sub(begin)))
				b.save(user, f.payload(s)).want(t, http.StatusCreated)
			}
			for _, q := range []portfolio.Selection{{}, {CASType: statement.CDSL}, {AsOf: "2026-02-28"}, {AsOf: "2026-04-01"}} {
				params := url.Values{}
				for name, value := range map[string]string{"cas_type": string(q.CASType), "as_of": q.AsOf} {
					if value != "" {
						params.Set(name, value)
					}
				}
				var got ownedAnswer
				b.read(user, "/v1/holdings?"+params.Encode(), &got)
				if got, want := got.totals(t).String(), f.want(q).String(); got != want {
					t.Fatalf("family %d of -seed %d, %+v: got\n%s\nwant\n%s", i, from, q, got, want)
				}
			}
		}
	})
}
