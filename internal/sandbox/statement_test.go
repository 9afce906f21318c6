package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"casbroker/internal/sandbox"
)

type sum struct {
	Count int             `json:"count"`
	Total decimal.Decimal `json:"total_value"`
}

type movement struct {
	Date    string           `json:"date"`
	Type    string           `json:"type"`
	Units   *decimal.Decimal `json:"units"`
	NAV     *decimal.Decimal `json:"nav"`
	Amount  *decimal.Decimal `json:"amount"`
	Balance *decimal.Decimal `json:"balance"`
	Rate    *decimal.Decimal `json:"dividend_rate"`
}

type row struct {
	ISIN  string          `json:"isin"`
	Name  string          `json:"name"`
	Type  string          `json:"type"`
	Units decimal.Decimal `json:"units"`
	NAV   decimal.Decimal `json:"nav"`
	Value decimal.Decimal `json:"value"`
	Cost  decimal.Decimal `json:"cost"`
	Gain  *struct {
		Absolute   decimal.Decimal `json:"absolute"`
		Percentage decimal.Decimal `json:"percentage"`
	} `json:"gain"`
	Transactions []movement `json:"transactions"`
	More         struct {
		Open  *decimal.Decimal `json:"open_units"`
		Close *decimal.Decimal `json:"close_units"`
	} `json:"additional_info"`
}

type part struct {
	Value    decimal.Decimal  `json:"value"`
	Holdings map[string][]row `json:"holdings"`
	Schemes  []row            `json:"schemes"`
	Funds    []row            `json:"funds"`
}

type statement struct {
	Meta struct {
		CASType string                    `json:"cas_type"`
		Period  struct{ From, To string } `json:"statement_period"`
	} `json:"meta"`
	Investor struct{ Name, PAN string } `json:"investor"`
	Summary  struct {
		Total    decimal.Decimal `json:"total_value"`
		Accounts map[string]sum  `json:"accounts"`
	} `json:"summary"`
	Demat     []part `json:"demat_accounts"`
	Folios    []part `json:"mutual_funds"`
	NPS       []part `json:"nps"`
	Insurance struct {
		Policies []struct {
			SumAssured decimal.Decimal `json:"sum_assured"`
		} `json:"life_insurance_policies"`
	} `json:"insurance"`
}

// statements parses the sample PDF of each source.
func statements(t *testing.T) map[string]statement {
	t.Helper()
	c := start(t, sandbox.Options{})
	all := map[string]statement{}
	for _, source := range []string{"cdsl", "nsdl", "cams", "kfintech"} {
		pdf := c.call(http.MethodGet, "/_sandbox/samples/"+source+".pdf", "").raw
		a := c.upload("/v4/smart/parse", "pdf_file", "dropped.pdf", pdf)
		a.want(t, http.StatusOK)
		var s statement
		if err := json.Unmarshal(a.raw, &s); err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		all[source] = s
	}
	return all
}

// rows lists what the account, folio or pension account holds, by asset class.
func (p part) rows() map[string][]row {
	all := map[string][]row{"schemes": p.Schemes, "nps": p.Funds}
	for class, rows := range p.Holdings {
		all[class] = rows
	}
	return all
}

func TestTheSamplesTotalsAddUp(t *testing.T) {
	t.Parallel()
	for source, s := range statements(t) {
		want := map[string][]part{"demat": s.Demat, "mutual_funds": s.Folios, "nps": s.NPS, "insurance": nil}
		total, count := decimal.Zero, len(s.Insurance.Policies)
		for name, parts := range want {
			section := decimal.Zero
			for _, p := range parts {
				inside := decimal.Zero
				for _, rows := range p.rows() {
					count += len(rows)
					for _, r := range rows {
						inside = inside.Add(r.Value)
					}
				}
				if !inside.Equal(p.Value) {
					t.Errorf("%s: a part of %s says %s and holds %s", source, name, p.Value, inside)
				}
				section = section.Add(p.Value)
			}
			got := s.Summary.Accounts[name]
			if !got.Total.Equal(section) || (name != "insurance" && got.Count != len(parts)) {
				t.Errorf("%s: summary of %s says %d, %s; want %d, %s", source, name, got.Count, got.Total, len(parts), section)
			}
			total = total.Add(section)
		}
		if !s.Summary.Total.Equal(total) || total.LessThan(decimal.NewFromInt(100_000)) {
			t.Errorf("%s: total says %s, sections add up to %s", source, s.Summary.Total, total)
		}
		if s.Summary.Accounts["insurance"].Count != len(s.Insurance.Policies) {
			t.Errorf("%s: policies are counted wrongly", source)
		}
		if count < 12 || count > 25 {
			t.Errorf("%s: %d rows, want 12 to 25", source, count)
		}
	}
}

func TestTheSamplesRowsAreConsistent(t *testing.T) {
	t.Parallel()
	for source, s := range statements(t) {
		for _, p := range append(append(s.Demat, s.Folios...), s.NPS...) {
			for class, rows := range p.rows() {
				for _, r := range rows {
					where := source + ": " + r.Name
					if class != "nps" && !validISIN(r.ISIN) {
						t.Errorf("%s: ISIN %q", where, r.ISIN)
					}
					if (class == "nps" || class == "schemes") && !r.Units.Mul(r.NAV).Round(2).Equal(r.Value) {
						t.Errorf("%s: %s x %s is not %s", where, r.Units, r.NAV, r.Value)
					}
					if class != "nps" {
						checkLedger(t, where, r, s.Meta.Period.From, s.Meta.Period.To)
					}
					if class == "schemes" {
						checkGain(t, where, r)
					}
				}
			}
		}
	}
}

func checkGain(t *testing.T, where string, r row) {
	t.Helper()
	percentage := decimal.Zero
	if !r.Cost.IsZero() {
		percentage = r.Value.Sub(r.Cost).Mul(decimal.NewFromInt(100)).DivRound(r.Cost, 2)
	}
	if r.Gain == nil || !r.Gain.Absolute.Equal(r.Value.Sub(r.Cost)) || !r.Gain.Percentage.Equal(percentage) {
		t.Errorf("%s: gain %+v for value %s, cost %s", where, r.Gain, r.Value, r.Cost)
	}
}

// checkLedger follows a row's transactions from its opening to its closing units.
func checkLedger(t *testing.T, where string, r row, from, to string) {
	t.Helper()
	if r.More.Open == nil || r.More.Close == nil {
		t.Fatalf("%s: no opening or closing units", where)
	}
	balance, last := *r.More.Open, from
	for _, m := range r.Transactions {
		if m.Date < last || m.Date > to {
			t.Errorf("%s: %s is out of order or outside the period", where, m.Date)
		}
		last = m.Date
		if m.Type == "DIVIDEND_PAYOUT" && !balance.Mul(*m.Rate).Round(2).Equal(*m.Amount) {
			t.Errorf("%s: payout of %s on %s units at %s", where, m.Amount, balance, m.Rate)
		}
		if m.Units == nil {
			continue
		}
		balance = balance.Add(*m.Units)
		if m.Balance == nil || !m.Balance.Equal(balance) {
			t.Errorf("%s, %s: balance says %v, is %s", where, m.Date, m.Balance, balance)
		}
		if m.NAV != nil { // units are rounded to three places, so the amount is right to half of one of them
			slack := m.NAV.Mul(decimal.RequireFromString("0.0005")).Add(decimal.RequireFromString("0.005"))
			if m.Units.Mul(*m.NAV).Sub(*m.Amount).Abs().GreaterThan(slack) {
				t.Errorf("%s, %s: %s x %s is not %s", where, m.Date, m.Units, m.NAV, m.Amount)
			}
		}
	}
	if !balance.Equal(*r.More.Close) || !balance.Equal(r.Units) {
		t.Errorf("%s: ledger ends at %s, closing units %s, units %s", where, balance, r.More.Close, r.Units)
	}
}

// validISIN checks form and check digit (ISO 6166: Luhn over digits, A = 10 to Z = 35).
func validISIN(isin string) bool {
	if len(isin) != 12 || !strings.HasPrefix(isin, "IN") {
		return false
	}
	var digits strings.Builder
	for _, c := range isin {
		n, err := strconv.ParseInt(string(c), 36, 8)
		if err != nil || c > 'Z' {
			return false
		}
		digits.WriteString(strconv.FormatInt(n, 10))
	}
	total := 0
	for i, s := 0, digits.String(); i < len(s); i++ {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		total += d/10 + d%10
	}
	return total%10 == 0
}

func TestTheSamplesHoldEveryAssetClassAndTransactionType(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, s := range statements(t) {
		found["life_insurance_policies"] = found["life_insurance_policies"] || len(s.Insurance.Policies) > 0
		for _, p := range append(append(s.Demat, s.Folios...), s.NPS...) {
			for class, rows := range p.rows() {
				for _, r := range rows {
					found[class], found[r.Type] = true, true
					for _, m := range r.Transactions {
						found[m.Type] = true
					}
				}
			}
		}
	}
	for _, want := range strings.Fields(`equities demat_mutual_funds corporate_bonds government_securities aifs schemes nps
		life_insurance_policies Equity Debt Hybrid Other PURCHASE PURCHASE_SIP REDEMPTION SWITCH_IN SWITCH_IN_MERGER SWITCH_OUT
		SWITCH_OUT_MERGER DIVIDEND_PAYOUT DIVIDEND_REINVEST SEGREGATION STAMP_DUTY_TAX TDS_TAX STT_TAX MISC REVERSAL UNKNOWN`) {
		if !found[want] {
			t.Errorf("no sample holds %s", want)
		}
	}
}

func TestTheSamplesNameTheirSourceAndAnInventedInvestor(t *testing.T) {
	t.Parallel()
	types := map[string]string{"cdsl": "CDSL", "nsdl": "NSDL", "cams": "CAMS_KFINTECH", "kfintech": "CAMS_KFINTECH"}
	for source, s := range statements(t) {
		if s.Meta.CASType != types[source] {
			t.Errorf("%s: cas_type %q", source, s.Meta.CASType)
		}
		// PANs are numbered from 0001, so that none with 0000 was ever issued.
		if len(s.Investor.PAN) != 10 || s.Investor.PAN[3] != 'P' || s.Investor.PAN[5:9] != "0000" {
			t.Errorf("%s: PAN %q could be somebody's", source, s.Investor.PAN)
		}
	}
}
