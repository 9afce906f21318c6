package portfolio

import (
	"hash"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/httpapi"
	"casbroker/internal/statement"
)

// maxOwnedLimit is the most rows on one page of what a user owns, and the usual number.
const maxOwnedLimit = 1000

// classes are all classes of holdings.
var classes = []statement.Class{
	statement.Equity, statement.ETF, statement.CorporateBond, statement.GovernmentSecurity, statement.AIF, statement.DematMutualFund,
	statement.MutualFund, statement.Insurance, statement.NPS, statement.SovereignGoldBond, statement.PreferenceShare,
}

var (
	errOwner      = httpapi.ErrQuery.Withf("owner must be the number of an owner, a whole number from 1 up.")
	errClass      = httpapi.ErrQuery.Withf("class must be one of %s.", joined(classes))
	errAccount    = httpapi.ErrQuery.Withf("account must be the id of an account, ac_….")
	errProvenance = httpapi.ErrQuery.Withf("provenance must be %s or %s.", Verified, Reported)
	errCASType    = httpapi.ErrQuery.Withf("cas_type must be %s, %s or %s.", statement.CDSL, statement.NSDL, statement.CAMSKFintech)
	errInterval   = httpapi.ErrQuery.Withf("interval must be %s, %s, %s or %s.", Week, Month, Quarter, Year)
	errOldCursor  = httpapi.ErrCursor.Withf("The holdings have changed since the first page; read them again from there.")
)

func joined[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = string(list[i])
	}
	return strings.Join(texts, ", ")
}

// readSelection reads which statements a view is made of.
func readSelection(q *httpapi.Params) Selection {
	s := Selection{AsOf: readDayText(q, "as_of")}
	s.Provenance, s.CASType = oneOf(q, "provenance", errProvenance, Verified, Reported), oneOf(q, "cas_type", errCASType, statement.CDSL, statement.NSDL, statement.CAMSKFintech)
	return s
}

// readFilter reads which part of a view is wanted.
func readFilter(q *httpapi.Params) Filter {
	f := Filter{Owner: readOwner(q), Class: oneOf(q, "class", errClass, classes...), Account: q.Text("account")}
	if f.Account != "" && !isAccountID(f.Account) {
		q.Fail(errAccount)
	}
	return f
}

// oneOf returns a parameter that must be one of known, or was left out.
func oneOf[T ~string](q *httpapi.Params, name string, err error, known ...T) T {
	value := T(q.Text(name))
	if value != "" && !slices.Contains(known, value) {
		q.Fail(err)
	}
	return value
}

// readDay reads a day, the zero time if it was left out.
func readDay(q *httpapi.Params, name string) time.Time {
	text := q.Text(name)
	if text == "" {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1900 {
		q.Fail(httpapi.ErrQuery.Withf("%s must be a day from 1900 on, such as 2026-03-31.", name))
	}
	return day
}

func readDayText(q *httpapi.Params, name string) string {
	if day := readDay(q, name); !day.IsZero() {
		return day.Format(time.DateOnly)
	}
	return ""
}

// taggedCursor returns the cursor of the page of a list that begins with number. tag identifies
// the list.
func taggedCursor(tag string, number int) string {
	return httpapi.EncodeCursor(tag + " " + strconv.Itoa(number))
}

// readTaggedCursor reads the parameter cursor: the number that a page of a list of that length
// begins with. It returns a fault if the list is not what the cursor was made for.
func readTaggedCursor(text, tag string, length int) (int, error) {
	position, ok := httpapi.DecodeCursor(text)
	if ok && position == "" {
		return 0, nil
	}
	of, number, _ := strings.Cut(position, " ")
	n, err := strconv.Atoi(number)
	switch {
	case !ok || err != nil || n < 1 || len(of) != len(tag):
		return 0, httpapi.ErrCursor
	case of != tag || n >= length:
		return 0, errOldCursor
	default:
		return n, nil
	}
}

// rowsTag identifies the rows of o: those of the same statements for the same accounts.
func rowsTag(o *Owned) string {
	hash := fnv.New64a()
	for _, a := range o.View.Accounts {
		_, _ = hash.Write([]byte(a.ID + a.Statement.PortfolioID + strconv.Itoa(a.Rows) + " "))
	}
	return textOf(hash)
}

// accountsTag identifies the accounts of o, and the statements that they are of.
func accountsTag(o *Owned) string {
	hash := fnv.New64a()
	for _, a := range o.Accounts {
		_, _ = hash.Write([]byte(a.ID + a.Statement.PortfolioID + " "))
	}
	return textOf(hash)
}

// textOf returns a hash as text, always of the same length.
func textOf(hash hash.Hash64) string { return strconv.FormatUint(hash.Sum64()|1<<63, 36) }
