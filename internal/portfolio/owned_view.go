package portfolio

import (
	"slices"
	"strings"
)

// notice says what the totals of a view do not show.
type notice struct {
	Code        string  `json:"code"`
	Detail      string  `json:"detail"`
	PortfolioID string  `json:"portfolio_id"`
	AccountID   *string `json:"account_id"`
	Rows        *int    `json:"rows"`
}

// visibleDigits is how many characters of an account number are not masked.
const visibleDigits = 4

// maskNumber masks all but the last visibleDigits of number, and at least half of it.
func maskNumber(number string) string {
	characters := []rune(number)
	visible := min(visibleDigits, len(characters)/2)
	return strings.Repeat("X", len(characters)-visible) + string(characters[len(characters)-visible:])
}

// The codes of notices.
const (
	noticeRejected = "rejected_rows"
	noticeNoValue  = "rows_without_value"
	noticeNoRows   = "no_rows"
	noticeNoPeriod = "no_period"
	noticeUnknown  = "statement_not_read"
)

// notices returns what the totals of o do not show.
func notices(o *Owned) []notice {
	list := []notice{}
	known := map[string]bool{}
	for i := range o.View.Accounts {
		a := &o.View.Accounts[i]
		from := a.Statement.PortfolioID
		if !known[from] {
			known[from] = true
			if n := a.Statement.Rejected; n > 0 {
				list = append(list, notice{noticeRejected, "Rows of this statement could not be read; they are not in the totals.", from, nil, &n})
			}
			if a.Statement.To == "" {
				list = append(list, notice{noticeNoPeriod, "This statement has no period, so how old it is is not known.", from, nil, nil})
			}
		}
		if a.Unknown > 0 {
			list = append(list, notice{noticeNoValue, "Rows of this account state no value; they are not in the totals.", from, &a.ID, &a.Unknown})
		}
		if a.NoRows {
			list = append(list, notice{noticeNoRows, "The statement has no rows of this account that could be read; its total is as stated.", from, &a.ID, nil})
		}
	}
	for _, s := range o.Unknown {
		list = append(list, notice{noticeUnknown, "This statement is not in the totals yet; an earlier release saved it.", s.PortfolioID, nil, nil})
	}
	return list
}

// isComplete reports whether the totals have a value for each row of each statement.
func isComplete(list []notice) bool {
	return !slices.ContainsFunc(list, func(n notice) bool {
		return n.Code == noticeRejected || n.Code == noticeNoValue || n.Code == noticeUnknown
	})
}
