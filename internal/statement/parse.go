package statement

import (
	"crypto/sha256"
	"time"
)

// sectionNames are the members of a statement that hold rows.
var sectionNames = []string{"demat_accounts", "mutual_funds", "insurance", "nps"}

// Parse reads the statement in body: a JSON text in any of the forms in which the
// widget passes it on. It returns one fault, invalid_json, payload_limit or
// not_a_statement, the latter two with a Field for everything that is wrong. now decides
// which periods are in the future. Every row of the Statement is in Holdings or in
// Rejected, and members that seem to hold value but are not understood are in Warnings.
func Parse(body []byte, now time.Time) (*Statement, error) {
	st, err := ParseSaved(body, now)
	if err == nil && st.noRowLeft() {
		list := st.Rejected[:min(len(st.Rejected), maxFindings)]
		return nil, errStatement.Withf("The statement has %d rows, but none that can be kept.", st.ReceivedRows).At(list...)
	}
	return st, err
}

// ParseSaved is Parse for a statement that was saved at the time now. It also reads those of
// which no row can be kept, which earlier releases saved.
func ParseSaved(body []byte, now time.Time) (*Statement, error) {
	doc, err := parseDocument(body)
	if err != nil {
		return nil, err
	}
	e, err := unwrap(doc.root())
	if err != nil {
		return nil, err
	}
	p := parser{today: now.In(india).Format(time.DateOnly), canonical: fingerprint{hash: sha256.New()}}
	p.s.Transactions = make([]Transaction, 0, min(doc.countElements("transactions"), maxTransactions))
	p.s.Holdings = make([]Holding, 0, min(doc.countElements(rowLists...), MaxRows))
	p.statement(e)
	if len(p.faults) > 0 {
		return nil, errStatement.At(p.faults...)
	}
	p.s.Warnings = p.warnings
	p.s.Fingerprint = p.canonical.of(&p.s)
	return &p.s, nil
}

// parser fills in a Statement. Each of its methods is named after the part that it reads.
type parser struct {
	reader
	s        Statement
	today    string    // in India, YYYY-MM-DD
	sections []section // those read so far

	canonical         fingerprint
	rowAmounts        [6]value // that the row states: units, price, value, cost, sum assured, gain
	transactionValues []value  // of one row, parallel to its Transactions
	encumbered        struct { // rows that state locked or pledged units
		rows  int
		first value
		last  value
	}
	strings         map[string]string // shared by transactions
	accountsRead    int
	tooManyRejected bool // more rows were rejected than may be
}

// statement reads the statement in e.
func (p *parser) statement(e envelope) {
	v := e.statement
	p.issuer(e)
	p.metadata(e.metadata)
	for _, m := range e.others {
		p.warn(m, codeSecond, "This belongs to a second statement next to the one that is read; it was left out.")
	}
	p.period(v)
	for name, m := range v.members() {
		switch string(name) {
		case "meta":
			p.meta(m)
		case "investor":
			p.investor(m)
		case "generated_at":
			p.generatedAt(m)
		case "summary", "cas_type", "statement_period", "status", "msg", "metadata", "data", "raw_response": // read elsewhere, or part of the envelope
		default:
			p.section(string(name), m)
		}
	}
	p.summary(v.member("summary"))
	p.warnOfEncumbrances()
	p.finish(v)
}

// meta reads the member of that name.
func (p *parser) meta(v value) {
	if !p.expect(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch string(name) {
		case "generated_at":
			p.generatedAt(m)
		case "cas_type", "statement_period": // read by issuer and period
		default:
			p.unknownMember(string(name), m)
		}
	}
}

// finish checks that there is a section and counts the holdings.
func (p *parser) finish(v value) {
	found := false
	for _, name := range sectionNames {
		kind := v.member(name).kind()
		found = found || kind == '[' || kind == '{'
	}
	if !found {
		p.fault(v, codeNoSection, "The statement must have at least one of demat_accounts, mutual_funds, insurance and nps.")
	}
	if len(p.faults) == 0 {
		p.identify()
	}
	p.s.StoredRows, p.s.TransactionCount, p.s.Counts = len(p.s.Holdings), len(p.s.Transactions), map[Class]int{}
	for i := range p.s.Holdings {
		p.s.Counts[p.s.Holdings[i].Class]++
	}
}
