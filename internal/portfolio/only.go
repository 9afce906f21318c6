package portfolio

import (
	"slices"
	"strconv"

	"casbroker/internal/httpapi"
	"casbroker/internal/statement"
)

// listParams are the query parameters of the list of portfolios.
var listParams = []string{"active", "provenance", "cas_type", "owner", "class", "from", "to", "limit", "cursor"}

var errPeriod = httpapi.ErrQuery.Withf("from must not be after to.")

// Only selects some portfolios of a list. The zero value of a field selects all.
type Only struct {
	Provenance Provenance
	CASType    statement.CASType
	Owner      int             // of the portfolio or of one of its accounts
	Class      statement.Class // of one of its rows
	From, To   string          // YYYY-MM-DD: the first and last day on which its period may end
}

// Selects reports whether o selects p. A portfolio without a period counts as of the day, in
// India, when it was saved.
func (o Only) Selects(p *Portfolio) bool {
	end := dayOf(p.SavedAt)
	if p.Period != nil && p.Period.To != "" {
		end = p.Period.To
	}
	isOwner := func(a Owner) bool { return a.Number == o.Owner }
	return (o.Provenance == "" || p.Provenance == o.Provenance) &&
		(o.CASType == "" || p.CASType == o.CASType) &&
		(o.Owner == 0 || p.Owner == o.Owner || slices.ContainsFunc(p.Owners, isOwner)) &&
		(o.Class == "" || p.Counts[o.Class] > 0) &&
		end >= o.From && (o.To == "" || end <= o.To)
}

// readOnly reads which portfolios of a list are wanted.
func readOnly(q *httpapi.Params) Only {
	o := Only{
		Provenance: oneOf(q, "provenance", errProvenance, Verified, Reported),
		CASType:    oneOf(q, "cas_type", errCASType, statement.CDSL, statement.NSDL, statement.CAMSKFintech),
		Class:      oneOf(q, "class", errClass, classes...),
		Owner:      readOwner(q),
		From:       readDayText(q, "from"), To: readDayText(q, "to"),
	}
	if o.To != "" && o.From > o.To {
		q.Fail(errPeriod)
	}
	return o
}

// readOwner reads the number of an owner, 0 if it was left out.
func readOwner(q *httpapi.Params) int {
	text := q.Text("owner")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		q.Fail(errOwner)
	}
	return n
}
