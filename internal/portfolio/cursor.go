package portfolio

import (
	"net/url"
	"strconv"
	"strings"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/id"
	"casbroker/internal/statement"
)

// How many entries a page has.
const (
	usualLimit = 20
	maxLimit   = 100
)

// maxTransactions is past the number of any transaction: a payload has not as many bytes.
const maxTransactions = 1 << 30

var (
	errQuery = fault.New(fault.Invalid, "invalid_query",
		"The query string cannot be read, or has a parameter twice; send each once, percent-encoded.")
	errActive = errQuery.Withf("active must be true, for the active portfolios alone, or false.")
	errLimit  = fault.New(fault.Invalid, "invalid_limit", "limit must be a whole number from 1 to 100.")
	// errCursor: cursors only come out of an earlier answer.
	errCursor = fault.New(fault.Invalid, "invalid_cursor",
		"cursor must be the next_cursor of an earlier answer; leave it out for the first page.")
	errHolding = fault.New(fault.Invalid, "invalid_holding",
		"holding must be the id of one of this portfolio's own holdings, ho_….")
)

// pageOf reads what is asked of a list: its query, and how many of its rows.
func pageOf(u *url.URL) (query url.Values, limit int, err error) {
	if query, err = queryOf(u); err != nil {
		return nil, 0, err
	}
	limit, err = limitOf(query)
	return query, limit, err
}

// queryOf reads a query string, of which nothing may be lost.
func queryOf(u *url.URL) (url.Values, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errQuery // the cause repeats what was sent
	}
	for _, values := range query {
		if len(values) > 1 {
			return nil, errQuery
		}
	}
	return query, nil
}

func limitOf(query url.Values) (int, error) {
	text := query.Get("limit")
	if text == "" {
		return usualLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, errLimit
	}
	return n, nil
}

// activeOf tells whether only active portfolios are asked for.
func activeOf(query url.Values) (bool, error) {
	switch query.Get("active") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, errActive
	}
}

// holdingOf returns the number of the holding whose transactions are asked for,
// AllHoldings when none is named.
func holdingOf(query url.Values, portfolioID string) (int, error) {
	text := query.Get("holding")
	if text == "" {
		return AllHoldings, nil
	}
	number := text[strings.LastIndexByte(text, '_')+1:]
	seq, err := strconv.Atoi(number)
	if err != nil || seq < 0 || seq >= statement.MaxRows || text != HoldingID(portfolioID, seq) {
		return 0, errHolding
	}
	return seq, nil
}

// isPortfolio reports whether portfolioID can be that of a Portfolio.
func isPortfolio(portfolioID string) bool { return id.Is("pf", portfolioID) }

func listPosition(query url.Values) (Position, error) {
	at, portfolioID, ok := httpapi.DecodeTimeCursor(query.Get("cursor"), isPortfolio)
	if !ok {
		return Position{}, errCursor
	}
	return Position{SavedAt: at, ID: portfolioID}, nil
}

// rowCursor returns the cursor of the row to go on with.
func rowCursor(number int) *string { return new(httpapi.EncodeCursor(strconv.Itoa(number))) }

// rowPosition returns the number of the row to go on with, which is at most last.
func rowPosition(query url.Values, last int) (int, error) {
	text, ok := httpapi.DecodeCursor(query.Get("cursor"))
	if ok && text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 1 || n > last {
		return 0, errCursor
	}
	return n, nil
}
