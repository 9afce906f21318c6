package portfolio

import (
	"strconv"

	"casbroker/internal/statement"
)

// appendPortfolio appends p as callers see it, with all its holdings.
func appendPortfolio(b []byte, p *Portfolio, rows []statement.Holding) ([]byte, error) {
	summary, err := render(viewSummary(*p))
	if err != nil {
		return b, err
	}
	b = append(b, summary[:len(summary)-1]...)
	b = append(b, `,"accounts":[`...)
	for i := range p.Accounts {
		b = append(appendListedAccount(append(appendComma(b, i), '{'), &p.Accounts[i]), '}')
	}
	b = append(b, `],"rows":[`...)
	return append(appendRows(b, p, rows), "]}"...), nil
}

// appendHoldingPage appends a page of the holdings of p. The next page begins with number
// next, 0 on the last page.
func appendHoldingPage(b []byte, p *Portfolio, rows []statement.Holding, next int) []byte {
	b = appendRows(append(b, `{"holdings":[`...), p, rows)
	cursor := ""
	if next > 0 {
		cursor = *rowCursor(next)
	}
	return append(appendText(b, `],"next_cursor":`, cursor), '}')
}

// appendRows appends holdings of p with their accounts and owners.
func appendRows(b []byte, p *Portfolio, rows []statement.Holding) []byte {
	for i := range rows {
		accountID, owner := p.accountOf(&rows[i])
		b = appendHolding(append(appendComma(b, i), '{'), p.ID, &rows[i])
		b = appendText(b, `,"account_id":`, cell(accountID))
		b = append(strconv.AppendInt(append(b, `,"owner":`...), int64(owner), 10), '}')
	}
	return b
}

// appendListedAccount appends the members of the listedAccountView of a.
func appendListedAccount(b []byte, a *ListedAccount) []byte {
	b = appendText(b, `"id":`, a.ID)
	b = appendText(b, `,"kind":`, string(a.Kind))
	b = appendText(b, `,"number":`, a.Number)
	b = appendText(b, `,"institution":`, a.Institution)
	b = strconv.AppendInt(append(b, `,"owner":`...), int64(a.Owner), 10)
	b = append(b, `,"holders":[`...)
	for i, h := range a.Holders {
		b = appendText(appendComma(b, i), `{"name":`, h.Name)
		b = append(appendText(b, `,"pan_masked":`, h.PANMasked), '}')
	}
	return append(b, ']')
}
