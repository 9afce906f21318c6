package portfolio_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/shopspring/decimal"
)

var (
	seed       = flag.Uint64("seed", 0, "seed of the generated statements; 0 for a random one")
	statements = flag.Int("statements", 300/raceDivisor, "number of generated statements")
)

// TestGeneratedStatementIsReadBackCompletely saves statements of every shape and compares
// what is read back with what the generator put into them.
func TestGeneratedStatementIsReadBackCompletely(t *testing.T) {
	t.Parallel()
	from := *seed
	for from == 0 {
		from = rand.Uint64() //nolint:gosec // tests need no secret numbers
	}
	b := start(t)
	rows, rejected, entries := 0, 0, 0
	for i := range *statements {
		want := generate(rand.New(rand.NewPCG(from, uint64(i)))) //nolint:gosec // as above, and i is not negative
		b.saveAndCompare(fmt.Sprint("user-", i), want)
		if t.Failed() {
			t.Fatalf("statement %d of -seed %d: %s", i, from, want.payload)
		}
		rows, rejected = rows+len(want.rows), rejected+want.rejected
		for _, r := range want.rows {
			entries += len(r.ledger)
		}
	}
	if rows == 0 || rejected == 0 || entries == 0 {
		t.Errorf("-seed %d generated %d rows, %d to reject and %d transactions; want some of each", from, rows, rejected, entries)
	}
}

// saveAndCompare saves a statement and checks everything that is read back.
func (b *broker) saveAndCompare(user string, want generated) {
	b.t.Helper()
	saved := b.save(user, want.payload)
	if len(want.rows) == 0 && want.rejected > 0 && saved.status == http.StatusUnprocessableEntity { // no row left
		return
	}
	if saved.status != http.StatusCreated {
		b.t.Errorf("got %d: %s", saved.status, saved.body)
		return
	}
	s := saved.want(b.t, http.StatusCreated)
	if s.ReceivedRows != len(want.rows)+want.rejected || s.StoredRows != len(want.rows) || len(s.Rejected) != want.rejected {
		b.t.Errorf("received %d, stored %d, rejected %d; generated %d to store and %d to reject",
			s.ReceivedRows, s.StoredRows, len(s.Rejected), len(want.rows), want.rejected)
	}
	counts, sum := map[string]int{}, 0
	for _, r := range want.rows {
		counts[r.class]++
	}
	for _, n := range s.Holdings {
		sum += n
	}
	if fmt.Sprint(s.Holdings) != fmt.Sprint(counts) || sum != s.StoredRows {
		b.t.Errorf("counted %v, want %v", s.Holdings, counts)
	}
	if raw := b.get(user, "/v1/portfolios/"+s.ID+"/raw"); !bytes.Equal(raw.body, want.payload) {
		b.t.Errorf("got the payload %s, want the one sent", raw.body)
	}
	b.compare(user, s, want)
}

// compare reads and checks the rows and transactions of a saved statement.
func (b *broker) compare(user string, saved shown, want generated) {
	b.t.Helper()
	var whole struct {
		Rows []members `json:"rows"`
	}
	if err := json.Unmarshal(b.get(user, "/v1/portfolios/"+saved.ID).body, &whole); err != nil {
		b.t.Fatal(err)
	}
	names, left := map[string]string{}, len(want.rows)
	for _, got := range whole.Rows {
		name := *got["name"]
		r, ok := want.rows[name]
		if !ok || !equalText(got["class"], r.class) || !equalText(got["account"], r.account) || !equalText(got["isin"], r.isin) {
			b.t.Errorf("%q came back as %s %v %v, want %+v", name, *got["class"], got["account"], got["isin"], r)
		}
		for _, field := range []string{"units", "price", "value", "cost", "gain", "sum_assured"} {
			if !equalNumber(got[field], r.amounts[field]) {
				b.t.Errorf("%q: %s came back as %s, want %v", name, field, text(got[field]), r.amounts[field])
			}
		}
		names[*got["id"]] = name
		left--
	}
	if left != 0 || len(names) != len(want.rows) {
		b.t.Errorf("%d rows of %d came back", len(names), len(want.rows))
	}
	ledgers, total := map[string][]entry{}, 0
	for _, e := range b.transactions(user, saved.ID, 100, "") {
		ledgers[names[e.HoldingID]] = append(ledgers[names[e.HoldingID]], e)
		total++
	}
	if total != saved.Transactions {
		b.t.Errorf("got %d transactions, want %d", total, saved.Transactions)
	}
	for name, r := range want.rows {
		compareLedger(b.t, name, ledgers[name], r.ledger)
		total -= len(r.ledger)
	}
	if total != 0 {
		b.t.Errorf("got %d transactions more than were generated", total)
	}
}

func compareLedger(t *testing.T, name string, got []entry, want []madeEntry) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%q has %d transactions, want %d", name, len(got), len(want))
		return
	}
	for i, e := range got {
		w := want[i]
		if !equalText(e.Date, w.date) || !equalText(e.Type, w.kind) || !equalNumber(e.Units, w.amounts["units"]) || !equalNumber(e.NAV, w.amounts["nav"]) ||
			!equalNumber(e.Amount, w.amounts["amount"]) || !equalNumber(e.Balance, w.amounts["balance"]) {
			t.Errorf("%q: transaction %d came back as %s %s %s %s %s %s, want %+v",
				name, i, text(e.Date), text(e.Type), text(e.Units), text(e.NAV), text(e.Amount), text(e.Balance), w)
		}
	}
}

// equalText reports whether got is want, or null for an empty want.
func equalText(got *string, want string) bool {
	return got == nil && want == "" || got != nil && *got == want && want != ""
}

// equalNumber reports whether got is exactly the number want, or null without one.
func equalNumber(got *string, want decimal.NullDecimal) bool {
	if got == nil || !want.Valid {
		return got == nil && !want.Valid
	}
	d, err := decimal.NewFromString(*got)
	return err == nil && d.Equal(want.Decimal)
}

func text(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}
