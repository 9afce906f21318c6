package portfolio

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/statement"
)

// Rows are written without views and reflection, which take most of the time of an answer
// with a hundred of them. The names of members have the comma and the colon around them.

// appendHolding appends the members of the holdingView of h, without braces.
func appendHolding(b []byte, portfolioID string, h *statement.Holding) []byte {
	b = append(b, `"id":"ho_`...)
	b = append(append(b, strings.TrimPrefix(portfolioID, "pf_")...), '_')
	b = strconv.AppendInt(b, int64(h.Seq), 10)
	b = append(append(b, `","class":"`...), h.Class...)
	b = appendText(append(b, '"'), `,"isin":`, h.ISIN)
	b = appendString(append(b, `,"name":`...), h.Name)
	b = appendText(b, `,"account":`, h.Account)
	b = appendText(b, `,"institution":`, h.Institution)
	b = appendText(b, `,"category":`, h.Category)
	b = appendUnits(b, `,"units":`, h.Units)
	b = appendRupees(b, `,"price":`, h.Price)
	b = appendRupees(b, `,"value":`, h.Value)
	b = appendRupees(b, `,"cost":`, h.Cost)
	b = appendRupees(b, `,"gain":`, h.Gain)
	return appendRupees(b, `,"sum_assured":`, h.SumAssured)
}

// appendString appends text as a JSON string.
func appendString(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text) // the error is about invalid UTF-8, which it replaces
	return b
}

// appendText appends a member: text, or null for a text that the statement does not have.
func appendText(b []byte, name, text string) []byte {
	b = append(b, name...)
	if text == "" {
		return append(b, "null"...)
	}
	return appendString(b, text)
}

// appendRupees appends a member: an amount of money, or null.
func appendRupees(b []byte, name string, d decimal.NullDecimal) []byte {
	b = append(b, name...)
	if !d.Valid {
		return append(b, "null"...)
	}
	return append(statement.AppendRupees(append(b, '"'), d.Decimal), '"')
}

// appendUnits appends a member: a number of units, or null.
func appendUnits(b []byte, name string, d decimal.NullDecimal) []byte {
	b = append(b, name...)
	if !d.Valid {
		return append(b, "null"...)
	}
	return append(statement.AppendUnits(append(b, '"'), d.Decimal), '"')
}
