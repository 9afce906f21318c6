package sandbox_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"casbroker/internal/sandbox"
)

type summary struct {
	Count int             `json:"count"`
	Total decimal.Decimal `json:"total_value"`
}

type transaction struct {
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
	Transactions []transaction `json:"transactions"`
	More         struct {
		Open  *decimal.Decimal `json:"open_units"`
		Close *decimal.Decimal `json:"close_units"`

		InDemat bool `json:"is_demat"`
	} `json:"additional_info"`
}

type account struct {
	Number  string                       `json:"folio_number"`
	Value   decimal.Decimal              `json:"value"`
	Holders []struct{ Name, PAN string } `json:"linked_holders"`
	More    struct {
		PAN string `json:"pan"`
	} `json:"additional_info"`
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
		Total    decimal.Decimal    `json:"total_value"`
		Accounts map[string]summary `json:"accounts"`
	} `json:"summary"`
	Demat     []account `json:"demat_accounts"`
	Folios    []account `json:"mutual_funds"`
	NPS       []account `json:"nps"`
	Insurance struct {
		Policies []struct {
			SumAssured decimal.Decimal `json:"sum_assured"`
		} `json:"life_insurance_policies"`
	} `json:"insurance"`
}

// statements parses the sample PDF of each persona and source.
func statements(t *testing.T) map[string]statement {
	t.Helper()
	c := start(t, sandbox.Options{RateLimit: -1})
	all := map[string]statement{}
	for _, p := range sandbox.Personas() {
		for _, source := range []string{"cdsl", "nsdl", "cams", "kfintech"} {
			name := p.ID + "-" + source
			pdf := c.call(http.MethodGet, "/_sandbox/samples/"+name+".pdf", "").raw
			a := c.upload("/v4/smart/parse", "pdf_file", "dropped.pdf", pdf)
			a.want(t, http.StatusOK)
			var s statement
			if err := json.Unmarshal(a.raw, &s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all[name] = s
		}
	}
	return all
}

// isFictionalPAN reports whether pan has the form of an individual's PAN that was never issued.
func isFictionalPAN(pan string) bool { return fictionalPAN.MatchString(pan) }

var fictionalPAN = regexp.MustCompile(`^ZZ[A-Z]P[A-Z]0000[A-Z]$`)

// rows returns the holdings of the demat account, folio or pension account, by
// asset class.
func (a account) rows() map[string][]row {
	all := map[string][]row{"schemes": a.Schemes, "nps": a.Funds}
	for class, rows := range a.Holdings {
		all[class] = rows
	}
	return all
}

func TestSampleTotalsAddUp(t *testing.T) {
	t.Parallel()
	for source, s := range statements(t) {
		want := map[string][]account{"demat": s.Demat, "mutual_funds": s.Folios, "nps": s.NPS, "insurance": nil}
		total, count := decimal.Zero, len(s.Insurance.Policies)
		for name, accounts := range want {
			section := decimal.Zero
			for _, a := range accounts {
				rowTotal := decimal.Zero
				for _, rows := range a.rows() {
					count += len(rows)
					for _, r := range rows {
						rowTotal = rowTotal.Add(r.Value)
					}
				}
				if !rowTotal.Equal(a.Value) {
					t.Errorf("%s: got value %s of an account of %s, its rows add up to %s", source, a.Value, name, rowTotal)
				}
				section = section.Add(a.Value)
			}
			got := s.Summary.Accounts[name]
			if !got.Total.Equal(section) || (name != "insurance" && got.Count != len(accounts)) {
				t.Errorf("%s: got summary of %s with %d, %s; want %d, %s", source, name, got.Count, got.Total, len(accounts), section)
			}
			total = total.Add(section)
		}
		if !s.Summary.Total.Equal(total) || total.LessThan(decimal.NewFromInt(100_000)) {
			t.Errorf("%s: got total %s, want %s, the sum of the sections", source, s.Summary.Total, total)
		}
		if s.Summary.Accounts["insurance"].Count != len(s.Insurance.Policies) {
			t.Errorf("%s: got %d policies in the summary, want %d", source, s.Summary.Accounts["insurance"].Count, len(s.Insurance.Policies))
		}
		if count < 9 || count > 25 {
			t.Errorf("%s: got %d rows, want 9 to 25", source, count)
		}
	}
}

func TestSampleRowsAreConsistent(t *testing.T) {
	t.Parallel()
	for source, s := range statements(t) {
		for _, a := range append(append(s.Demat, s.Folios...), s.NPS...) {
			for class, rows := range a.rows() {
				for _, r := range rows {
					where := source + ": " + r.Name
					if class != "nps" && !validISIN(r.ISIN) {
						t.Errorf("%s: got invalid ISIN %q", where, r.ISIN)
					}
					if (class == "nps" || class == "schemes") && !r.Units.Mul(r.NAV).Round(2).Equal(r.Value) {
						t.Errorf("%s: units %s times NAV %s is not value %s", where, r.Units, r.NAV, r.Value)
					}
					if class != "nps" {
						checkTransactions(t, where, r, s.Meta.Period.From, s.Meta.Period.To)
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
		t.Errorf("%s: got gain %+v for value %s, cost %s", where, r.Gain, r.Value, r.Cost)
	}
}

// checkTransactions checks a row's transactions from its opening to its closing
// units.
func checkTransactions(t *testing.T, where string, r row, from, to string) {
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
			t.Errorf("%s: got a payout of %s on %s units at %s each", where, m.Amount, balance, m.Rate)
		}
		if m.Units == nil {
			continue
		}
		balance = balance.Add(*m.Units)
		if m.Balance == nil || !m.Balance.Equal(balance) {
			t.Errorf("%s, %s: got balance %v, want %s", where, m.Date, m.Balance, balance)
		}
		if m.NAV != nil { // units are rounded to 3 places, so the amount is exact to half of one thousandth of the NAV
			tolerance := m.NAV.Mul(decimal.RequireFromString("0.0005")).Add(decimal.RequireFromString("0.005"))
			if m.Units.Mul(*m.NAV).Sub(*m.Amount).Abs().GreaterThan(tolerance) {
				t.Errorf("%s, %s: units %s times NAV %s is not amount %s", where, m.Date, m.Units, m.NAV, m.Amount)
			}
		}
	}
	if !balance.Equal(*r.More.Close) || !balance.Equal(r.Units) {
		t.Errorf("%s: got balance %s after the last transaction, closing units %s, units %s; want them equal", where, balance, r.More.Close, r.Units)
	}
}

// validISIN checks form and check digit (ISO 6166: Luhn over the digits, with A = 10
// to Z = 35).
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

func TestSamplesCoverEveryAssetClassAndTransactionType(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, s := range statements(t) {
		found["life_insurance_policies"] = found["life_insurance_policies"] || len(s.Insurance.Policies) > 0
		for _, a := range append(append(s.Demat, s.Folios...), s.NPS...) {
			for class, rows := range a.rows() {
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
			t.Errorf("no sample has %s", want)
		}
	}
}

func TestSamplesNameTheirSourceAndAFictionalInvestor(t *testing.T) {
	t.Parallel()
	all := statements(t)
	for _, p := range sandbox.Personas() {
		for source, casType := range map[string]string{"cdsl": "CDSL", "nsdl": "NSDL", "cams": "CAMS_KFINTECH", "kfintech": "CAMS_KFINTECH"} {
			s, name := all[p.ID+"-"+source], p.ID+"-"+source
			if s.Meta.CASType != casType || s.Investor.Name != p.Name {
				t.Errorf("%s: got cas_type %q of %q, want %q of %q", name, s.Meta.CASType, s.Investor.Name, casType, p.Name)
			}
			masked := p.PAN[:2] + "XXXXXX" + p.PAN[8:]
			if casType == "CAMS_KFINTECH" {
				masked = ""
			}
			if s.Investor.PAN != masked {
				t.Errorf("%s: got PAN %q in the header, want %q: masked by depositories, missing from a CAMS or KFintech statement", name, s.Investor.PAN, masked)
			}
			for _, f := range s.Folios {
				if masked == "" && (!isFictionalPAN(f.More.PAN) || len(f.Holders) == 0 || f.Holders[0].PAN != f.More.PAN) {
					t.Errorf("%s: got PAN %q of a folio, holders %v; want the holder's PAN, of no real person", name, f.More.PAN, f.Holders)
				}
			}
		}
	}
}

// folios returns the numbers of the folios of s, as the registrar writes them without the
// ending /0.
func (s statement) folios() (own, inDemat []string) {
	for _, f := range s.Folios {
		number := strings.TrimSuffix(f.Number, "/0")
		if f.Schemes[0].More.InDemat {
			inDemat = append(inDemat, f.Schemes[0].ISIN)
		} else {
			own = append(own, number)
		}
	}
	return own, inDemat
}

func TestStatementsOfAPersonaOverlapInFolios(t *testing.T) {
	t.Parallel()
	all := statements(t)
	for _, p := range sandbox.Personas() {
		joint, inDemat := all[p.ID+"-cams"].folios()
		if again, _ := all[p.ID+"-kfintech"].folios(); !slices.Equal(joint, again) {
			t.Errorf("%s: CAMS lists %v, KFintech %v; want the same folios, since they issue one statement", p.ID, joint, again)
		}
		for _, source := range []string{"cdsl", "nsdl"} {
			s := all[p.ID+"-"+source]
			// The last folio is one that the depositories do not know.
			if listed, _ := s.folios(); !slices.Equal(listed, joint[:len(joint)-1]) {
				t.Errorf("%s, %s: got the folios %v, want all of %v but the last", p.ID, source, listed, joint)
			}
			funds := s.Demat[0].Holdings["demat_mutual_funds"]
			if !slices.ContainsFunc(funds, func(r row) bool { return slices.Contains(inDemat, r.ISIN) }) {
				t.Errorf("%s, %s: got no demat account with one of %v, which CAMS lists as held in demat", p.ID, source, inDemat)
			}
		}
	}
}
