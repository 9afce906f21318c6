package portfolio

import (
	"maps"
	"slices"
	"time"

	"casbroker/internal/statement"
)

// Covered is an account and the statement that counts for it.
type Covered struct {
	*Account
	// Statement is the latest that lists the account.
	Statement *AccountStatement
	// EndedOn is the last day of the period of the statement that shows that the account has
	// ended, YYYY-MM-DD, "" if there is none. It is the first statement that no longer lists
	// the account: it is of an issuer that has listed it, lists accounts of its owner, has no
	// rejected rows, and is later than every statement that lists the account.
	EndedOn string
}

// Selection selects the statements that a view is made of. The zero Selection selects all.
type Selection struct {
	AsOf       string // YYYY-MM-DD: only statements of periods that end on this day or before
	Provenance Provenance
	CASType    statement.CASType
}

// includes reports whether s is selected.
func (q Selection) includes(s *AccountStatement) bool {
	return (q.AsOf == "" || s.until() <= q.AsOf) &&
		(q.Provenance == "" || q.Provenance == s.Provenance) &&
		(q.CASType == "" || q.CASType == s.CASType)
}

// until returns the last day that a statement can tell of, YYYY-MM-DD: the end of its
// period, or the day on which it was saved if it has none.
func (a *AccountStatement) until() string {
	if a.To != "" {
		return a.To
	}
	return dayOf(a.SavedAt)
}

// dayOf returns the day of t in India, YYYY-MM-DD.
func dayOf(t time.Time) string { return t.In(india).Format(time.DateOnly) }

var india = time.FixedZone("IST", int((5*time.Hour+30*time.Minute)/time.Second))

// Cover returns those of accounts that the selected statements list, in their order.
func Cover(accounts []Account, statements []AccountStatement, q Selection) []Covered {
	c := coverage{
		covered: make([]Covered, len(accounts)), listed: make([]listed, len(accounts)),
		index: make(map[string]int, len(accounts)), ends: map[series][]string{},
	}
	for i := range accounts {
		c.covered[i].Account, c.index[accounts[i].ID] = &accounts[i], i
	}
	for i := range statements {
		if s := &statements[i]; q.includes(s) {
			c.add(s)
		}
	}
	for i := range c.covered {
		if c.covered[i].Statement != nil {
			c.covered[i].EndedOn = c.endOf(i)
		}
	}
	return slices.DeleteFunc(c.covered, func(a Covered) bool { return a.Statement == nil })
}

// coverage collects what statements tell of accounts.
type coverage struct {
	covered []Covered
	listed  []listed // for each in covered
	index   map[string]int
	ends    map[series][]string // of the periods
}

// listed says which statements list an account.
type listed struct {
	until   string // the latest day that one of them can tell of
	issuers []statement.CASType
}

// series are the statements of one issuer that tell which accounts an owner has: those that
// state when, and have no rejected rows, which could be of an account.
type series struct {
	issuer statement.CASType
	owner  int
}

// add adds an entry.
func (c *coverage) add(s *AccountStatement) {
	if i, known := c.index[s.AccountID]; known {
		a, l := &c.covered[i], &c.listed[i]
		if a.Statement == nil || a.Statement.Compare(*s) < 0 {
			a.Statement = s
		}
		l.until = max(l.until, s.until())
		if !slices.Contains(l.issuers, s.CASType) {
			l.issuers = append(l.issuers, s.CASType)
		}
	}
	if s.To == "" || s.Rejected > 0 || s.Unknown {
		return
	}
	of := series{s.CASType, s.Owner}
	if ends := c.ends[of]; len(ends) == 0 || ends[len(ends)-1] != s.To {
		c.ends[of] = append(ends, s.To)
	}
}

// endOf returns the EndedOn of account i.
func (c *coverage) endOf(i int) string {
	first := ""
	for _, issuer := range c.listed[i].issuers {
		for _, end := range c.ends[series{issuer, c.covered[i].Owner}] {
			if end > c.listed[i].until && (first == "" || end < first) {
				first = end
			}
		}
	}
	return first
}

// Affects reports whether a user with these statements would own something else, or know it
// from elsewhere, without portfolioID, which is one of them.
func Affects(statements []AccountStatement, portfolioID string) bool {
	without := make([]AccountStatement, 0, len(statements))
	for i := range statements {
		if statements[i].PortfolioID != portfolioID {
			without = append(without, statements[i])
		}
	}
	return !maps.Equal(sources(statements), sources(without))
}

// source is what decides the rows of an account that counts.
type source struct {
	portfolioID string
	owner       int
}

// sources returns the source of each account that counts.
func sources(statements []AccountStatement) map[string]source {
	latest := map[string]*AccountStatement{}
	for i := range statements {
		e := &statements[i]
		if known := latest[e.AccountID]; e.AccountID != "" && (known == nil || known.Compare(*e) < 0) {
			latest[e.AccountID] = e
		}
	}
	accounts := make([]Account, 0, len(latest))
	for id, e := range latest {
		accounts = append(accounts, Account{ListedAccount: ListedAccount{ID: id, Owner: e.Owner}})
	}
	list := make(map[string]source, len(accounts))
	for _, c := range Cover(accounts, statements, Selection{}) {
		if c.EndedOn == "" {
			list[c.ID] = source{c.Statement.PortfolioID, c.Owner}
		}
	}
	return list
}
