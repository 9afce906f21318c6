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
	Statement *AccountStatement // the latest that lists the account
	Index     int               // of the account in Statement
	// EndedOn is the last day of the period of the statement that shows that the account has
	// ended, YYYY-MM-DD, "" if there is none. It is the first statement that no longer lists
	// the account: it is of an issuer that has listed it, lists accounts of its owner or is
	// addressed to its owner, has no rejected rows, and is later than every statement that
	// lists the account.
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
func (s *AccountStatement) until() string {
	if s.To != "" {
		return s.To
	}
	return dayOf(s.SavedAt)
}

// dayOf returns the day of t in India, YYYY-MM-DD.
func dayOf(t time.Time) string { return t.In(india).Format(time.DateOnly) }

var india = time.FixedZone("IST", int((5*time.Hour+30*time.Minute)/time.Second))

// Cover returns those of accounts that the selected statements list, in their order.
func Cover(accounts []Account, statements []AccountStatement, q Selection) []Covered {
	c := coverage{covered: make([]Covered, len(accounts)), listed: make([]listed, len(accounts))}
	for i := range accounts {
		c.covered[i].Account = &accounts[i]
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
	series  []series
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
	ends   []string // of the periods
}

// add adds a statement.
func (c *coverage) add(s *AccountStatement) {
	until := s.until()
	for i, e := range s.Entries {
		a, l := &c.covered[e.Account], &c.listed[e.Account]
		if a.Statement == nil || a.Statement.Compare(s) < 0 {
			a.Statement, a.Index = s, i
		}
		l.until = max(l.until, until)
		if !slices.Contains(l.issuers, s.CASType) {
			l.issuers = append(l.issuers, s.CASType)
		}
	}
	if s.To == "" || s.Rejected > 0 || s.Unknown {
		return
	}
	c.tells(s, s.Owner)
	last := s.Owner
	for _, e := range s.Entries {
		if owner := c.covered[e.Account].Owner; owner != last {
			c.tells(s, owner)
			last = owner
		}
	}
}

// tells notes that s tells which accounts owner has.
func (c *coverage) tells(s *AccountStatement, owner int) {
	i := slices.IndexFunc(c.series, func(of series) bool { return of.issuer == s.CASType && of.owner == owner })
	if i < 0 {
		i = len(c.series)
		c.series = append(c.series, series{issuer: s.CASType, owner: owner})
	}
	of := &c.series[i]
	if n := len(of.ends); n == 0 || of.ends[n-1] != s.To {
		of.ends = append(of.ends, s.To)
	}
}

// endOf returns the EndedOn of account i.
func (c *coverage) endOf(i int) string {
	first := ""
	for _, of := range c.series {
		if of.owner != c.covered[i].Owner || !slices.Contains(c.listed[i].issuers, of.issuer) {
			continue
		}
		for _, end := range of.ends {
			if end > c.listed[i].until && (first == "" || end < first) {
				first = end
			}
		}
	}
	return first
}

// Affects reports whether a user with these accounts and statements would own something
// else, or know it from elsewhere, without portfolioID, which is one of them. Of the accounts,
// only ids and owners matter.
func Affects(accounts []Account, statements []AccountStatement, portfolioID string) bool {
	without := slices.DeleteFunc(slices.Clone(statements), func(s AccountStatement) bool { return s.PortfolioID == portfolioID })
	return !maps.Equal(sources(accounts, statements), sources(accounts, without))
}

// sources returns the portfolio of each account that counts.
func sources(accounts []Account, statements []AccountStatement) map[string]string {
	list := map[string]string{}
	for _, c := range Cover(accounts, statements, Selection{}) {
		if c.EndedOn == "" {
			list[c.ID] = c.Statement.PortfolioID
		}
	}
	return list
}
