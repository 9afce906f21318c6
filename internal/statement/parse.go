package statement

import (
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// issuers has the names by which a statement may call its issuer, in upper case.
var issuers = map[string]CASType{
	"CDSL": CDSL, "NSDL": NSDL, "CAMS_KFINTECH": CAMSKFintech, "CAMS": CAMSKFintech, "KFINTECH": CAMSKFintech,
}

// Parse reads the statement in body: a JSON text in any of the forms in which the
// widget hands it over. What is wrong comes back as one fault that names every
// place. Of a statement that is taken, each row is a holding or named as rejected.
func Parse(body []byte, _ time.Time) (*Statement, error) {
	if err := strict(body); err != nil {
		return nil, err
	}
	value, at, err := unwrap(body)
	if err != nil {
		return nil, err
	}
	p := &parser{reader: newReader(value, at)}
	if p.object(p.member); !p.over() {
		p.finish()
	}
	switch {
	case len(p.faults) > 0:
		return nil, errStatement.At(p.faults...)
	case p.err != nil:
		return nil, syntax(value, p.err)
	}
	p.s.Fingerprint, err = fingerprint(value)
	return &p.s, err
}

// parser reads a statement.
type parser struct {
	reader
	s        Statement
	issuer   string
	issuerAt string
	total    decimal.NullDecimal
	sections int
}

func (p *parser) member(name string) {
	switch name {
	case "meta":
		p.object(p.meta)
	case "cas_type":
		p.casType()
	case "investor":
		p.object(p.investor)
	case "summary":
		p.object(func(name string) {
			if name == "total_value" {
				p.total = p.amount()
				return
			}
			p.skip()
		})
	default:
		p.section(name)
	}
}

func (p *parser) meta(name string) {
	switch name {
	case "cas_type":
		p.casType()
	case "statement_period":
		p.period()
	default:
		p.skip()
	}
}

func (p *parser) casType() {
	if text := p.text(); text != "" {
		p.issuer, p.issuerAt = text, p.pointer()
	}
}

func (p *parser) period() {
	var period Period
	p.object(func(name string) {
		switch name {
		case "from":
			period.From = p.date()
		case "to":
			period.To = p.date()
		default:
			p.skip()
		}
	})
	switch {
	case period.From != "" && period.To != "":
		p.s.Period = &period
	case period != Period{}:
		p.warn("incomplete_period", "only one end is stated, so the period was left out")
	}
}

func (p *parser) investor(name string) {
	switch name {
	case "name":
		p.s.Investor.Name = p.text()
	case "pan":
		p.pan()
	default:
		p.skip()
	}
}

// A PAN has ten letters and digits; statements hide some of them behind X or *.
var (
	anyPAN  = regexp.MustCompile(`^[A-Z0-9*]{10}$`)
	fullPAN = regexp.MustCompile(`^[A-Z]{5}[0-9]{4}[A-Z]$`)
)

func (p *parser) pan() {
	text := strings.ToUpper(strings.TrimSpace(p.text()))
	switch {
	case text == "":
	case !anyPAN.MatchString(text):
		p.warn("invalid_pan", "is no PAN, so it was left out")
	default:
		p.s.Investor.PANMasked = "XXXXXX" + text[6:]
		if fullPAN.MatchString(text) {
			p.s.PAN = secret.Text(text)
		}
	}
}

// warn notes what is odd about the value that was read last, but was taken.
func (p *parser) warn(code, format string, args ...any) {
	switch n := len(p.s.Warnings); {
	case n < maxFindings:
		p.s.Warnings = append(p.s.Warnings, p.here(code, format, args...))
	case n == maxFindings:
		p.s.Warnings = append(p.s.Warnings, fault.Field{Code: "more_warnings", Detail: "there are more than can be listed"})
	}
}

// finish decides what depends on the whole statement.
func (p *parser) finish() {
	p.s.CASType = issuers[strings.ToUpper(p.issuer)]
	switch {
	case p.issuer == "":
		p.wrong(fault.Field{Pointer: p.at + "/meta/cas_type", Code: "missing", Detail: "must be CDSL, NSDL or CAMS_KFINTECH"})
	case p.s.CASType == "":
		p.wrong(fault.Field{Pointer: p.issuerAt, Code: "unknown_cas_type", Detail: "must be CDSL, NSDL or CAMS_KFINTECH"})
	}
	if p.sections == 0 {
		p.wrong(fault.Field{Pointer: p.at, Code: "no_section",
			Detail: "must have at least one of demat_accounts, mutual_funds, insurance and nps"})
	}
	p.s.StoredRows, p.s.Counts, p.s.TotalValue = len(p.s.Holdings), map[Class]int{}, p.total.Decimal
	for i := range p.s.Holdings {
		h := &p.s.Holdings[i]
		h.Seq = i
		p.s.Counts[h.Class]++
		if !p.total.Valid {
			p.s.TotalValue = p.s.TotalValue.Add(h.Value.Decimal)
		}
	}
}
