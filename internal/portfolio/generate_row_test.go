package portfolio_test

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// madeRow is a row of a generated statement, as it must be read back.
type madeRow struct {
	class, account string
	isin           string
	amounts        map[string]decimal.NullDecimal // by their name in answers
	ledger         []madeEntry
}

// madeEntry is a transaction of a madeRow.
type madeEntry struct {
	date, kind string
	amounts    map[string]decimal.NullDecimal
}

// made is a number as JSON text and as a value.
type made struct {
	text string
	decimal.NullDecimal
}

// number generates a number, sometimes written as a string.
func (g *generator) number(signed bool) made {
	var b strings.Builder
	if signed && g.chance(40) {
		b.WriteByte('-')
	}
	fmt.Fprint(&b, g.Uint64N(pick(g, uint64(10), 1000, 10_000_000, 1<<62)))
	if places := g.IntN(7); places > 0 {
		fmt.Fprintf(&b, ".%0*d", places, g.IntN(pick(g, 10, 1_000_000))%pow10(places))
	}
	if g.chance(10) {
		fmt.Fprintf(&b, "%s%d", pick(g, "e", "E", "e+"), g.IntN(4))
	} else if g.chance(10) {
		fmt.Fprintf(&b, "e-%d", g.IntN(4))
	}
	text := b.String()
	n := made{text, decimal.NewNullDecimal(decimal.RequireFromString(text))}
	if g.chance(20) {
		n.text = quote(pick(g, "", " ") + text)
	}
	return n
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

// amount writes a member with a number, with null, or not at all. It stores the value in
// into.
func (g *generator) amount(name string, into map[string]decimal.NullDecimal, as string, signed bool) string {
	n := g.number(signed)
	switch g.IntN(10) {
	case 0:
		into[as] = decimal.NullDecimal{}
		return ""
	case 1:
		into[as] = decimal.NullDecimal{}
		return member(name, "null")
	default:
		into[as] = n.NullDecimal
		return member(name, n.text)
	}
}

// nameEndings are endings of names, some with characters that are special elsewhere.
var nameEndings = []string{
	"Growth", `<script>alert("x")</script>`, "'; DROP TABLE holdings; --", "=1+1", "\u202eabc\u2066", "नमस्ते 💰", "line\nbreak\ttab", `back\slash`, "\u2028", "",
}

// name generates a unique name.
func (g *generator) name() string {
	g.serial++
	return fmt.Sprintf("No %d %s", g.serial, pick(g, nameEndings...))
}

// rowsOf writes a list of rows of class in an account, including rows that must be
// rejected.
func (g *generator) rowsOf(class, account string, one func(name string, r *madeRow) []string) string {
	if g.chance(5) {
		return "null"
	}
	return array(g.some(pick(g, 2, 5, 12), func() string {
		if g.chance(8) {
			g.rejected++
			return pick(g, "null", "{}", `{"isin":null,"name":"","units":0,"value":0.00}`, `{"name":null,"units":"0.000","nav":0,"cost":0,"transactions":[]}`)
		}
		name, r := g.name(), madeRow{class: class, account: account, amounts: map[string]decimal.NullDecimal{}}
		members := one(name, &r)
		g.rows[name] = r
		return g.object(append(members, g.noise())...)
	}))
}

func (g *generator) security(name string, r *madeRow) []string {
	if r.class == "equity" && g.chance(20) {
		r.class, r.isin = "etf", "INFZ04K01EA6"
	} else if g.chance(70) {
		r.isin = pick(g, "INE999Z01012", "INEZ14Q01013", "IN0Z20230085")
	}
	isin := g.maybeNullText("isin", r.isin)
	return []string{
		member("name", quote(name)), isin, g.amount("units", r.amounts, "units", false), g.amount("value", r.amounts, "value", false), g.ledger(r),
	}
}

func (g *generator) scheme(name string, r *madeRow) []string {
	r.isin = pick(g, "", "INFZ04K01EA6", "INFZ05K01DA5")
	gain := g.object(g.amount("absolute", r.amounts, "gain", true), g.maybeNull("percentage", g.number(true).text))
	return []string{
		member("name", quote(name)), g.maybeNullText("isin", r.isin), g.amount("units", r.amounts, "units", false), g.amount("nav", r.amounts, "price", false),
		g.amount("value", r.amounts, "value", false), g.amount("cost", r.amounts, "cost", false), member("gain", gain),
		g.maybeNull("type", pick(g, `"EQUITY"`, `"Debt"`, `"other"`, `"New"`)), g.maybeNull("nominees", `["N"]`), g.ledger(r),
	}
}

func (g *generator) fund(name string, r *madeRow) []string {
	return []string{
		member("name", quote(name)), g.amount("units", r.amounts, "units", false), g.amount("nav", r.amounts, "price", false),
		g.amount("value", r.amounts, "value", false), g.amount("cost", r.amounts, "cost", false),
		g.maybeNull("additional_info", g.object(member("tier", pick(g, "1", `"2"`, `"Tier I"`, "null")), g.noise())),
	}
}

func (g *generator) policy(name string, r *madeRow) []string {
	g.serial++
	r.account = fmt.Sprintf("P-%d", g.serial)
	return []string{
		member("policy_name", quote(name)), member("policy_number", quote(r.account)), g.amount("sum_assured", r.amounts, "sum_assured", false),
		g.maybeNull("provider", quote(g.name())), g.maybeNull("premium_amount", g.number(false).text), g.maybeNull("status", `"In force"`),
	}
}

func (g *generator) maybeNullText(name, text string) string {
	if text == "" {
		return pick(g, "", member(name, "null"), member(name, `""`))
	}
	return member(name, quote(text))
}

// ledger writes the member transactions of r.
func (g *generator) ledger(r *madeRow) string {
	if g.chance(40) {
		return g.maybeNull("transactions", "[]")
	}
	return member("transactions", array(g.some(6, func() string {
		day := 1 + g.IntN(28)
		e := madeEntry{
			date: fmt.Sprintf("2025-12-%02d", day), kind: pick(g, "PURCHASE", "PURCHASE_SIP", "REDEMPTION", "STAMP_DUTY_TAX", "SOMETHING_NEW"),
			amounts: map[string]decimal.NullDecimal{},
		}
		written := e.kind
		if g.chance(20) {
			written = strings.ToLower(e.kind)
		}
		date := member("date", quote(g.day(day)))
		if g.chance(10) {
			e.date, date = "", member("date", "null")
		}
		entry := g.object(date, member("type", quote(written)), g.maybeNull("description", quote(g.name())), g.amount("units", e.amounts, "units", true),
			g.amount("nav", e.amounts, "nav", true), g.amount("amount", e.amounts, "amount", true), g.amount("balance", e.amounts, "balance", true),
			g.maybeNull("dividend_rate", "1.5"), g.maybeNull("additional_info", "{}"))
		r.ledger = append(r.ledger, e)
		return entry
	})))
}
