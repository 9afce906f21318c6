package statement

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestEveryRowIsStoredOrRejected generates statements of all shapes and counts their
// rows itself.
func TestEveryRowIsStoredOrRejected(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		g := generator{Rand: rand.New(rand.NewPCG(seed, 1)), counts: map[Class]int{}} //nolint:gosec // the same statements in each run
		body, err := json.Marshal(g.statement())
		if err != nil {
			t.Fatal(err)
		}
		st, err := Parse(body, today)
		if len(g.stored) == 0 && err != nil && strings.Contains(err.Error(), "none that can be kept") {
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: got %v %+v in %s", seed, err, findingsOf(err), body)
		}
		var rejected, stored []string
		for _, r := range st.Rejected {
			rejected = append(rejected, r.Pointer)
			checkFinding(t, body, r)
		}
		for _, h := range st.Holdings {
			stored = append(stored, fmt.Sprint(h.Class, " ", h.Name))
		}
		slices.Sort(rejected)
		slices.Sort(g.rejected)
		slices.Sort(stored)
		slices.Sort(g.stored)
		if !slices.Equal(rejected, g.rejected) || !slices.Equal(stored, g.stored) || !maps.Equal(st.Counts, g.counts) {
			t.Errorf("seed %d: got rejected %v, want %v; stored %v, want %v; counts %v of %s", seed, rejected, g.rejected, stored, g.stored, st.Counts, body)
		}
		if st.ReceivedRows != len(g.stored)+len(g.rejected) || st.StoredRows != len(g.stored) || st.TransactionCount != g.transactions {
			t.Errorf("seed %d: got %+v of %s", seed, st.Summary, body)
		}
		checkStatement(t, body, st)
	}
}

// generator generates a statement and records what Parse should return for it.
type generator struct {
	*rand.Rand
	stored       []string
	rejected     []string
	counts       map[Class]int
	transactions int
}

type object map[string]any

func (g *generator) statement() any {
	s, at := object{"meta": object{"cas_type": g.one("CDSL", "nsdl", "CAMS", "KFintech", "cams_kfintech")}}, g.one("", "/data", "/data/data", "/raw_response", "/data/raw_response")
	if g.IntN(4) > 0 {
		s["demat_accounts"] = g.list(func(i int) any { return g.demat(fmt.Sprint(at, "/demat_accounts/", i)) })
	}
	if g.IntN(4) > 0 {
		s["mutual_funds"] = g.list(func(i int) any { return g.folio(fmt.Sprint(at, "/mutual_funds/", i), true) })
	}
	if g.IntN(3) > 0 {
		s["nps"] = g.list(func(i int) any {
			return object{"pran": "1", "funds": g.rows(fmt.Sprint(at, "/nps/", i, "/funds"), NPS)}
		})
	}
	switch g.IntN(3) {
	case 0:
		s["insurance"] = g.rows(at+"/insurance", Insurance)
	case 1:
		s["insurance"] = object{
			"life_insurance_policies":    g.rows(at+"/insurance/life_insurance_policies", Insurance),
			"general_insurance_policies": g.rows(at+"/insurance/general_insurance_policies", ""),
		}
	default:
		s["insurance"] = nil
		if s["nps"] == nil {
			s["nps"] = []any{} // a statement needs one section
		}
	}
	switch at {
	case "/data":
		return object{"status": "success", "data": s, "metadata": object{"parser_type": "smart"}, "folios": []any{object{"units": 1}}}
	case "/data/data":
		return object{"data": object{"status": "success", "msg": "ok", "data": s}}
	case "/raw_response":
		return object{"raw_response": s, "holdings": []any{object{"units": 1}}}
	case "/data/raw_response":
		return object{"status": "success", "data": object{"raw_response": s, "folios": []any{object{"units": 1}}}}
	default:
		return s
	}
}

func (g *generator) demat(at string) any {
	account, holdings := object{"bo_id": "1", "holdings": nil}, object{}
	for _, name := range slices.Sorted(maps.Keys(dematLists)) {
		class := dematLists[name]
		switch g.IntN(4) {
		case 0:
			holdings[name] = g.rows(at+"/holdings/"+name, class)
		case 1:
			account[name] = g.rows(at+"/"+name, class)
		}
	}
	if g.IntN(3) == 0 {
		holdings["war/rants"] = g.rows(at+"/holdings/war~1rants", "")
	}
	if len(holdings) > 0 {
		account["holdings"] = holdings
	}
	return account
}

func (g *generator) folio(at string, wrap bool) any {
	if wrap && g.IntN(3) == 0 {
		return object{"amc": "A", "folios": g.list(func(i int) any { return g.folio(fmt.Sprint(at, "/folios/", i), false) })}
	}
	return object{"folio_number": "1", "schemes": g.rows(at+"/schemes", MutualFund)}
}

// rows generates a list of rows of class. If class is "", the list is an unknown one.
func (g *generator) rows(at string, class Class) any {
	return g.list(func(i int) any {
		pointer := fmt.Sprint(at, "/", i)
		kind := g.IntN(5)
		if class == "" || kind < 2 {
			g.rejected = append(g.rejected, pointer)
		}
		switch kind {
		case 0:
			return nil
		case 1:
			return object{"name": "", "isin": nil, "units": 0, "value": "0.00", "policy_name": ""}
		}
		if class != "" {
			g.stored = append(g.stored, fmt.Sprint(class, " ", pointer))
			g.counts[class]++
		}
		row := object{"name": pointer, "policy_name": pointer, "units": g.IntN(9), "value": fmt.Sprint(g.IntN(9), ".50")}
		if kind > 3 && class != "" {
			row["transactions"] = g.list(func(int) any { g.transactions++; return object{"type": "PURCHASE", "units": g.IntN(9)} })
		}
		if class == Insurance {
			delete(row, "name")
		}
		return row
	})
}

func (g *generator) list(element func(i int) any) []any {
	list := make([]any, g.IntN(4))
	for i := range list {
		list[i] = element(i)
	}
	return list
}

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }

// checkStatement checks what is true of every result of Parse.
func checkStatement(t *testing.T, payload []byte, st *Statement) {
	t.Helper()
	counted := 0
	for _, n := range st.Counts {
		counted += n
	}
	if st.ReceivedRows != st.StoredRows+len(st.Rejected) || st.StoredRows != len(st.Holdings) || counted != st.StoredRows {
		t.Errorf("got %d rows received, %d stored, %d counted, %d rejected", st.ReceivedRows, st.StoredRows, counted, len(st.Rejected))
	}
	for i, h := range st.Holdings {
		if h.Seq != i {
			t.Errorf("got Seq %d for holding %d", h.Seq, i)
		}
	}
	last := 0
	for i, x := range st.Transactions {
		if x.Seq != i || x.Holding < last || x.Holding >= len(st.Holdings) {
			t.Errorf("got transaction %d %+v after one of holding %d", i, x, last)
		}
		last = x.Holding
	}
	if st.TransactionCount != len(st.Transactions) || len(st.Warnings) > maxFindings+1 || len(st.Rejected) > maxRejected {
		t.Errorf("got %d transactions counted of %d, %d warnings, %d rejected", st.TransactionCount, len(st.Transactions), len(st.Warnings), len(st.Rejected))
	}
	if st.CASType == "" || st.PAN != "" && len(st.PAN) != 10 {
		t.Errorf("got issuer %q and a PAN of %d characters", st.CASType, len(st.PAN))
	}
	again, err := Parse(rewritten(t, payload), today)
	if errors.Is(err, errLimit) { // encoding/json escapes more characters, which makes a name longer
		return
	}
	if err != nil || again.Fingerprint != st.Fingerprint {
		t.Errorf("the same statement, written differently, has another fingerprint: %v", err)
	}
}

func TestNestedFoliosAreRead(t *testing.T) {
	t.Parallel()
	st, err := Parse([]byte(`{"meta":{"cas_type":"CAMS"},"mutual_funds":[{"amc":"Outer AMC","folios":[{"folio_number":"1","folios":[
		{"folio_number":"2","schemes":[{"name":"A","units":1,"value":100}]}]}]}]}`), today)
	if err != nil {
		t.Fatal(err)
	}
	if st.ReceivedRows != 1 || st.Holdings[0].Account != "2" || st.Holdings[0].Institution != "Outer AMC" {
		t.Errorf("got %d rows: %+v; want one of folio 2 of Outer AMC", st.ReceivedRows, st.Holdings)
	}
}

func TestFingerprintDependsOnTheIssuer(t *testing.T) {
	t.Parallel()
	fingerprintOf := func(body string) [32]byte {
		t.Helper()
		st, err := Parse([]byte(body), today)
		if err != nil {
			t.Fatal(err)
		}
		return st.Fingerprint
	}
	const text = `{"nps":[{"funds":[{"name":"F","value":1}]}]}`
	cdsl := fingerprintOf(`{"data":` + text + `,"metadata":{"cas_type":"CDSL"}}`)
	if cdsl == fingerprintOf(`{"data":`+text+`,"metadata":{"cas_type":"CAMS"}}`) {
		t.Error("statements of two issuers have the same fingerprint")
	}
	if cdsl != fingerprintOf(`{"nps":[{"funds":[{"name":"F","value":1}]}],"data":null,"raw_response":null,"metadata":{"cas_type":"cdsl"}}`) {
		t.Error("an empty envelope changes the fingerprint")
	}
}

func TestFundAmongTheEquitiesIsAnETF(t *testing.T) {
	t.Parallel()
	s, err := Parse([]byte(`{"meta":{"cas_type":"CDSL"},"demat_accounts":[{"holdings":{"equities":[
		{"isin":"INFZ04K01EA6","name":"Imaginary Gold ETF","units":1,"value":2},
		{"isin":"INEZ14Q01013","name":"Periyar Sample Bank","units":1,"value":2}],
		"demat_mutual_funds":[{"isin":"INFZ05K01DA5","name":"Made-up Mid Cap Fund","units":1,"value":2}]}}]}`), today)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Class{ETF, Equity, DematMutualFund} {
		if got := s.Holdings[i].Class; got != want {
			t.Errorf("%s: got %s, want %s", s.Holdings[i].Name, got, want)
		}
	}
}
