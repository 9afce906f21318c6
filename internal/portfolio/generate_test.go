package portfolio_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// generated is a generated statement with the expected result of saving it.
type generated struct {
	payload  []byte
	rows     map[string]madeRow // by name, which is unique
	rejected int
}

// generator generates statements in all accepted shapes.
type generator struct {
	*rand.Rand
	generated
	serial int
}

func generate(r *rand.Rand) generated {
	g := generator{Rand: r, generated: generated{rows: map[string]madeRow{}}}
	g.payload = []byte(g.envelope())
	return g.generated
}

// chance returns true with a probability of p percent.
func (g *generator) chance(p int) bool { return g.IntN(100) < p }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// object writes members in random order, without empty ones.
func (g *generator) object(members ...string) string {
	g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	space := pick(g, "", "", " ", "\n\t")
	kept := members[:0:0]
	for _, m := range members {
		if m != "" {
			kept = append(kept, space+m)
		}
	}
	return "{" + strings.Join(kept, ",") + space + "}"
}

func array(elements []string) string { return "[" + strings.Join(elements, ",") + "]" }

// some returns 0 to most elements made by one.
func (g *generator) some(most int, one func() string) []string {
	list := make([]string, g.IntN(most+1))
	for i := range list {
		list[i] = one()
	}
	return list
}

func member(name, value string) string { return quote(name) + ":" + value }

func quote(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// noise sometimes writes a member that the broker does not know.
func (g *generator) noise() string {
	if !g.chance(30) {
		return ""
	}
	g.serial++
	return member(fmt.Sprint("new_in_", g.serial), pick(g, `null`, `"x"`, `-1.5e3`, `[{"a":[]}]`, `{"schemes":[{"name":"of nothing"}]}`, `true`))
}

// maybeNull writes a member, sometimes as null or not at all.
func (g *generator) maybeNull(name, value string) string {
	switch g.IntN(10) {
	case 0:
		return ""
	case 1:
		return member(name, "null")
	default:
		return member(name, value)
	}
}

// envelope writes a whole payload.
func (g *generator) envelope() string {
	issuer := pick(g, "CDSL", "nsdl", "CAMS_KFINTECH", "Cams", "KFintech", "cams_kfintech")
	outside := g.chance(20) // only the metadata names the issuer
	metadata := member("metadata", g.object(member("filename", `"cas.pdf"`), member("parser_type", quote(issuer)), g.noise()))
	vendorMetadata := member("metadata", g.object(member("method", `"upload"`), member("cas_type", quote(issuer)), member("processing_time_ms", "812")))
	if outside {
		return g.object(member("data", g.statement("")), vendorMetadata)
	}
	bare := g.statement(issuer)
	widget := func() string {
		return g.object(member("cas_type", quote(issuer)), member("status", `"success"`), member("investor_info", `{"name":"N"}`),
			member("folios", `[{"schemes":[{"name":"twice","units":1}]}]`), member("holdings", `[{"name":"twice"}]`), member("raw_response", bare))
	}
	switch g.IntN(9) {
	case 0:
		return bare
	case 1:
		return strings.Replace(bare, "{", `{"status":"success","msg":"ok",`, 1)
	case 2:
		return g.object(member("data", bare))
	case 3:
		return g.object(member("data", bare), metadata, g.noise())
	case 4:
		return g.object(member("status", `"success"`), member("msg", `"parsed"`), member("data", bare))
	case 5:
		return g.object(member("status", `"success"`), member("data", g.object(member("data", bare))), metadata)
	case 6:
		return widget()
	case 7:
		return g.object(member("data", widget()), member("metadata", "null"))
	default:
		return g.object(member("status", `"success"`), member("data", widget()), vendorMetadata)
	}
}

// statement writes a UnifiedResponse of issuer, or one that names no issuer for "".
func (g *generator) statement(issuer string) string {
	var inMeta, atTop string
	if issuer != "" {
		inMeta, atTop = member("cas_type", quote(issuer)), ""
		if g.chance(30) {
			inMeta, atTop = "", inMeta
		}
	}
	sections := []string{g.dematAccounts(), g.folios(), g.insurance(), g.pensions()}
	if strings.Join(sections, "") == "" {
		sections[0] = member("demat_accounts", "[]")
	}
	period := member("statement_period", g.object(member("from", quote(g.day(1))), member("to", quote(g.day(28)))))
	places := [3]string{}
	if g.chance(80) {
		places[g.IntN(3)] = period
	}
	meta := g.object(inMeta, places[1], g.maybeNull("generated_at", `"2026-01-02T03:04:05"`))
	if inMeta == "" {
		meta = g.maybeNull("meta", meta)
	} else {
		meta = member("meta", meta)
	}
	return g.object(append(sections, atTop, meta, places[0], g.noise(),
		g.maybeNull("investor", g.object(g.maybeNull("name", quote(g.name())), g.maybeNull("pan", `"AAXXXXXX9A"`), g.maybeNull("email", `"a@b.example"`))),
		g.maybeNull("summary", g.object(places[2], g.maybeNull("total_value", g.number(false).text), g.maybeNull("accounts",
			`{"demat":{"count":1,"total_value":"2.5"},"mutual_funds":null}`))))...)
}

// day writes a day of December 2025 in one of the accepted forms.
func (g *generator) day(n int) string {
	return fmt.Sprintf(pick(g, "2025-12-%02d", "%02d-12-2025", "%02d-Dec-2025"), n)
}

// buckets are the lists of a demat account with the class of their rows.
var buckets = [][2]string{
	{"equities", "equity"}, {"etfs", "etf"}, {"corporate_bonds", "corporate_bond"}, {"government_securities", "government_security"}, {"aifs", "aif"},
	{"demat_mutual_funds", "demat_mutual_fund"}, {"sovereign_gold_bonds", "sovereign_gold_bond"}, {"preference_shares", "preference_share"},
}

func (g *generator) dematAccounts() string {
	if g.chance(30) {
		return ""
	}
	return member("demat_accounts", array(g.some(3, func() string {
		g.serial++
		number := fmt.Sprintf("12099999%08d", g.serial)
		named := []string{member("bo_id", quote(number))}
		if g.chance(50) {
			named = []string{member("dp_id", quote(number[:8])), member("client_id", quote(number[8:])), member("bo_id", pick(g, `""`, `null`))}
		}
		var within, direct []string
		for _, b := range buckets {
			bucket, class := b[0], b[1]
			switch g.IntN(6) {
			case 0:
				direct = append(direct, member(bucket, g.rowsOf(class, number, g.security)))
			case 1, 2:
				within = append(within, member(bucket, g.rowsOf(class, number, g.security)))
			case 3:
				within = append(within, member(bucket, "null"))
			}
		}
		within = append(within, g.unknownList())
		return g.object(append(append(named, direct...), member("holdings", g.object(within...)), g.noise(), g.maybeNull("value", g.number(false).text),
			g.maybeNull("dp_name", quote(g.name())), g.maybeNull("linked_holders", "[]"))...)
	})))
}

// unknownList sometimes writes a list of an unknown class.
func (g *generator) unknownList() string {
	if g.chance(80) {
		return ""
	}
	rows := g.some(3, func() string { return pick(g, `{"name":"W","units":3}`, `null`, `7`, `"x"`, `[]`) })
	g.rejected += len(rows)
	return member(pick(g, "warrants", "a/b~c", "<b>\n", "="), array(rows))
}

func (g *generator) folios() string {
	if g.chance(30) {
		return ""
	}
	folio := func() string {
		g.serial++
		number := fmt.Sprintf("%d / %02d", g.serial, g.IntN(100))
		return g.object(member("folio_number", quote(number)), member("schemes", g.rowsOf("mutual_fund", number, g.scheme)),
			g.maybeNull("amc", quote(g.name())), g.maybeNull("value", g.number(false).text), g.noise())
	}
	return member("mutual_funds", array(g.some(4, func() string {
		if g.chance(70) {
			return folio()
		}
		return g.object(member("amc", quote(g.name())), member("folios", array(g.some(3, folio))))
	})))
}

func (g *generator) pensions() string {
	if g.chance(50) {
		return ""
	}
	return member("nps", array(g.some(2, func() string {
		g.serial++
		number := fmt.Sprintf("99%010d", g.serial)
		return g.object(member("pran", quote(number)), member("funds", g.rowsOf("nps", number, g.fund)), g.maybeNull("cra", quote(g.name())), g.noise())
	})))
}

func (g *generator) insurance() string {
	if g.chance(50) {
		return ""
	}
	policies := g.rowsOf("insurance", "", g.policy)
	if policies != "null" && g.chance(40) {
		return member("insurance", policies)
	}
	return member("insurance", g.object(member("life_insurance_policies", policies), g.unknownList()))
}
