package portfolio

import (
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// appendOwned appends o as callers see it, with its rows from number first to end.
func appendOwned(b []byte, o *Owned, q Selection, first, end int) ([]byte, error) {
	list := notices(o)
	encoded, err := render(list)
	if err != nil {
		return nil, err
	}
	v := &o.View
	b = appendText(append(b, '{'), `"as_of":`, q.AsOf)
	b = appendText(b, `,"oldest_as_of":`, v.OldestAsOf)
	b = appendRupees(b, `,"total_value":`, decimal.NewNullDecimal(v.Value))
	b = strconv.AppendBool(append(b, `,"currency":"INR","complete":`...), isComplete(list))
	b = append(append(b, `,"notices":`...), encoded...)
	b = appendOwnerSums(append(b, `,"owners":[`...), v)
	b = append(b, `],"classes":[`...)
	for i, sum := range v.Classes {
		b = appendText(appendComma(b, i), `{"class":`, string(sum.Class))
		b = append(appendSum(b, sum.Sum), '}')
	}
	b = append(b, `],"accounts":[`...)
	for i := range v.Accounts {
		a := &v.Accounts[i]
		b = append(appendAccount(append(appendComma(b, i), '{'), &a.Covered, a), '}')
	}
	b = append(b, `],"holdings":[`...)
	b = appendOwnedRows(b, v, v.Rows[first:end])
	next := ""
	if end < len(v.Rows) {
		next = taggedCursor(rowsTag(o), end)
	}
	return append(appendText(b, `],"next_cursor":`, next), '}'), nil
}

// appendComma appends a comma, except before the first element.
func appendComma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

func appendOwnerSums(b []byte, v *View) []byte {
	accounts := map[int]int{}
	for i := range v.Accounts {
		accounts[v.Accounts[i].Owner]++
	}
	for i, sum := range v.Owners {
		b = strconv.AppendInt(append(appendComma(b, i), `{"number":`...), int64(sum.Number), 10)
		b = appendText(b, `,"name":`, sum.Name)
		b = appendText(b, `,"pan_masked":`, sum.PANMasked)
		b = strconv.AppendInt(append(b, `,"accounts":`...), int64(accounts[sum.Number]), 10)
		b = append(appendSum(b, sum.Sum), '}')
	}
	return b
}

// appendSum appends the members value and rows.
func appendSum(b []byte, s Sum) []byte {
	b = appendRupees(b, `,"value":`, decimal.NewNullDecimal(s.Value))
	return strconv.AppendInt(append(b, `,"rows":`...), int64(s.Rows), 10)
}

// appendAccount appends the members of an account. sum is nil if it does not count.
func appendAccount(b []byte, c *Covered, sum *ViewAccount) []byte {
	b = appendText(b, `"id":`, c.ID)
	b = appendText(b, `,"kind":`, string(c.Kind))
	b = appendText(b, `,"number_masked":`, maskNumber(c.Number))
	b = appendText(b, `,"institution":`, c.Institution)
	b = append(b, `,"holders":[`...)
	for i, h := range c.Holders {
		b = appendText(appendComma(b, i), `{"name":`, h.Name)
		b = append(appendText(b, `,"pan_masked":`, h.PANMasked), '}')
	}
	b = strconv.AppendInt(append(b, `],"owner":`...), int64(c.Owner), 10)
	b = appendTime(b, `,"first_seen":`, c.FirstSeen)
	b = appendTime(b, `,"last_seen":`, c.LastSeen)
	b = appendText(b, `,"ended_on":`, c.EndedOn)
	b = appendSource(b, c.Statement)
	b = appendText(b, `,"cas_type":`, string(c.Statement.CASType))
	if sum == nil {
		return append(b, `,"value":null,"stated_value":null,"rows":0`...)
	}
	b = appendRupees(b, `,"stated_value":`, sum.Stated)
	return appendSum(b, sum.Sum)
}

// appendSource appends where something comes from.
func appendSource(b []byte, s *AccountStatement) []byte {
	b = appendText(b, `,"portfolio_id":`, s.PortfolioID)
	b = appendText(b, `,"as_of":`, s.To)
	return appendText(b, `,"provenance":`, string(s.Provenance))
}

// appendTime appends a member: an instant in UTC, with milliseconds.
func appendTime(b []byte, name string, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(append(b, name...), '"'), "2006-01-02T15:04:05.000Z07:00"), '"')
}

// appendOwnedRows appends rows of v.
func appendOwnedRows(b []byte, v *View, rows []ViewRow) []byte {
	var tail []byte // the members that the rows of an account share
	of := -1
	for i, r := range rows {
		a := &v.Accounts[r.Account]
		if of != r.Account {
			of = r.Account
			tail = appendText(tail[:0], `,"account_id":`, a.ID)
			tail = appendSource(tail, a.Statement)
			tail = append(strconv.AppendInt(append(tail, `,"owner":`...), int64(a.Owner), 10), '}')
		}
		b = appendHolding(append(appendComma(b, i), '{'), a.Statement.PortfolioID, r.Holding)
		b = append(b, tail...)
	}
	return b
}
