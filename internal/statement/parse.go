package statement

import "time"

// sections are the parts of a statement that hold rows.
var sections = []string{"demat_accounts", "mutual_funds", "insurance", "nps"}

// Parse reads the statement in body: a JSON text in any of the forms in which the
// widget hands it over. What is wrong comes back as one fault, invalid_json or
// not_a_statement, that names every place. Of a statement that is taken, each row
// is a holding or named as rejected, and what holds value without being understood
// is named in a warning. now says which periods are still to come.
func Parse(body []byte, now time.Time) (*Statement, error) {
	doc, err := take(body)
	if err != nil {
		return nil, err
	}
	e, err := unwrap(doc.root())
	if err != nil {
		return nil, err
	}
	p := parser{today: now.In(india).Format(time.DateOnly)}
	p.s.Transactions = make([]Transaction, 0, min(doc.elements("transactions"), maxTransactions))
	p.s.Holdings = make([]Holding, 0, min(doc.elements(lists...), MaxRows))
	p.statement(e)
	if len(p.faults) > 0 {
		return nil, errStatement.At(p.faults...)
	}
	p.s.Warnings = p.warnings
	p.s.Fingerprint = fingerprint(p.s.CASType, e.statement)
	return &p.s, nil
}

// parser reads a statement.
type parser struct {
	reader
	s     Statement
	today string // in India, YYYY-MM-DD
	parts []part // the sections that were read

	places  []value // of the transactions of one row
	flooded bool    // more rows were rejected than are told
}

// statement reads the statement in e.
func (p *parser) statement(e envelope) {
	v := e.statement
	p.issuer(e)
	p.period(v)
	for name, m := range v.members() {
		switch string(name) {
		case "meta":
			p.meta(m)
		case "investor":
			p.investor(m)
		case "generated_at":
			p.generated(m)
		case "summary", "cas_type", "statement_period", "status", "msg", "metadata", "data", "raw_response": // read elsewhere, or of the envelope
		default:
			p.section(string(name), m)
		}
	}
	p.summary(v.member("summary"))
	p.finish(v)
}

func (p *parser) meta(v value) {
	if !p.is(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch string(name) {
		case "generated_at":
			p.generated(m)
		case "cas_type", "statement_period": // read before
		default:
			p.unknown(string(name), m)
		}
	}
}

// finish decides what depends on the whole statement.
func (p *parser) finish(v value) {
	seen := false
	for _, name := range sections {
		kind := v.member(name).kind()
		seen = seen || kind == '[' || kind == '{'
	}
	if !seen {
		p.wrong(v, codeNoSection, "The statement must have at least one of demat_accounts, mutual_funds, insurance and nps.")
	}
	p.s.StoredRows, p.s.TransactionCount, p.s.Counts = len(p.s.Holdings), len(p.s.Transactions), map[Class]int{}
	for i := range p.s.Holdings {
		p.s.Counts[p.s.Holdings[i].Class]++
	}
}
