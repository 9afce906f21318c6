package statement

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestEveryRowOfAnyStatementIsKeptOrRejected makes up statements of all shapes and
// keeps its own account of their rows.
func TestEveryRowOfAnyStatementIsKeptOrRejected(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		m := maker{Rand: rand.New(rand.NewPCG(seed, 1)), counts: map[Class]int{}} //nolint:gosec // it is to be the same each time
		body, err := json.Marshal(m.statement())
		if err != nil {
			t.Fatal(err)
		}
		st, err := Parse(body, today)
		if err != nil {
			t.Fatalf("%d: %v %+v in %s", seed, err, faults(err), body)
		}
		var rejected, kept []string
		for _, r := range st.Rejected {
			rejected = append(rejected, r.Pointer)
			checkPlace(t, body, r)
		}
		for _, h := range st.Holdings {
			kept = append(kept, fmt.Sprint(h.Class, " ", h.Name))
		}
		slices.Sort(rejected)
		slices.Sort(m.rejected)
		slices.Sort(kept)
		slices.Sort(m.kept)
		if !slices.Equal(rejected, m.rejected) || !slices.Equal(kept, m.kept) || !maps.Equal(st.Counts, m.counts) {
			t.Errorf("%d: rejected %v, want %v; kept %v, want %v; %v of %s", seed, rejected, m.rejected, kept, m.kept, st.Counts, body)
		}
		if st.ReceivedRows != len(m.kept)+len(m.rejected) || st.StoredRows != len(m.kept) || st.TransactionCount != m.transactions {
			t.Errorf("%d: %+v of %s", seed, st.Summary, body)
		}
		checkWhole(t, body, st)
	}
}

// maker makes up a statement and keeps account of its rows.
type maker struct {
	*rand.Rand
	kept         []string
	rejected     []string
	counts       map[Class]int
	transactions int
}

type object map[string]any

func (m *maker) statement() any {
	s, at := object{"meta": object{"cas_type": m.one("CDSL", "nsdl", "CAMS", "KFintech", "cams_kfintech")}}, m.one("", "/data", "/data/data", "/raw_response", "/data/raw_response")
	if m.IntN(4) > 0 {
		s["demat_accounts"] = m.list(func(i int) any { return m.demat(fmt.Sprint(at, "/demat_accounts/", i)) })
	}
	if m.IntN(4) > 0 {
		s["mutual_funds"] = m.list(func(i int) any { return m.folio(fmt.Sprint(at, "/mutual_funds/", i), true) })
	}
	if m.IntN(3) > 0 {
		s["nps"] = m.list(func(i int) any {
			return object{"pran": "1", "funds": m.rows(fmt.Sprint(at, "/nps/", i, "/funds"), NPS)}
		})
	}
	switch m.IntN(3) {
	case 0:
		s["insurance"] = m.rows(at+"/insurance", Insurance)
	case 1:
		s["insurance"] = object{
			"life_insurance_policies":    m.rows(at+"/insurance/life_insurance_policies", Insurance),
			"general_insurance_policies": m.rows(at+"/insurance/general_insurance_policies", ""),
		}
	default:
		s["insurance"] = nil
		if s["nps"] == nil {
			s["nps"] = []any{} // there must be one section
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

func (m *maker) demat(at string) any {
	account, holdings := object{"bo_id": "1", "holdings": nil}, object{}
	for _, name := range slices.Sorted(maps.Keys(buckets)) {
		class := buckets[name]
		switch m.IntN(4) {
		case 0:
			holdings[name] = m.rows(at+"/holdings/"+name, class)
		case 1:
			account[name] = m.rows(at+"/"+name, class)
		}
	}
	if m.IntN(3) == 0 {
		holdings["war/rants"] = m.rows(at+"/holdings/war~1rants", "")
	}
	if len(holdings) > 0 {
		account["holdings"] = holdings
	}
	return account
}

func (m *maker) folio(at string, wrap bool) any {
	if wrap && m.IntN(3) == 0 {
		return object{"amc": "A", "folios": m.list(func(i int) any { return m.folio(fmt.Sprint(at, "/folios/", i), false) })}
	}
	return object{"folio_number": "1", "schemes": m.rows(at+"/schemes", MutualFund)}
}

// rows makes a list of rows of class, none of which is known if that is "".
func (m *maker) rows(at string, class Class) any {
	return m.list(func(i int) any {
		place := fmt.Sprint(at, "/", i)
		kind := m.IntN(5)
		if class == "" || kind < 2 {
			m.rejected = append(m.rejected, place)
		}
		switch kind {
		case 0:
			return nil
		case 1:
			return object{"name": "", "isin": nil, "units": 0, "value": "0.00", "policy_name": ""}
		}
		if class != "" {
			m.kept = append(m.kept, fmt.Sprint(class, " ", place))
			m.counts[class]++
		}
		row := object{"name": place, "policy_name": place, "units": m.IntN(9), "value": fmt.Sprint(m.IntN(9), ".50")}
		if kind > 3 && class != "" {
			row["transactions"] = m.list(func(int) any { m.transactions++; return object{"type": "PURCHASE", "units": m.IntN(9)} })
		}
		if class == Insurance {
			delete(row, "name")
		}
		return row
	})
}

func (m *maker) list(element func(i int) any) []any {
	list := make([]any, m.IntN(4))
	for i := range list {
		list[i] = element(i)
	}
	return list
}

func (m *maker) one(of ...string) string { return of[m.IntN(len(of))] }

// checkWhole checks what holds for every statement that is taken.
func checkWhole(t *testing.T, payload []byte, st *Statement) {
	t.Helper()
	counted := 0
	for _, n := range st.Counts {
		counted += n
	}
	if st.ReceivedRows != st.StoredRows+len(st.Rejected) || st.StoredRows != len(st.Holdings) || counted != st.StoredRows {
		t.Errorf("%d rows received, %d stored, %d counted, %d rejected", st.ReceivedRows, st.StoredRows, counted, len(st.Rejected))
	}
	for i, h := range st.Holdings {
		if h.Seq != i {
			t.Errorf("holding %d has the number %d", i, h.Seq)
		}
	}
	last := 0
	for i, x := range st.Transactions {
		if x.Seq != i || x.Holding < last || x.Holding >= len(st.Holdings) {
			t.Errorf("transaction %d is %+v after one of holding %d", i, x, last)
		}
		last = x.Holding
	}
	if st.TransactionCount != len(st.Transactions) || len(st.Warnings) > maxFindings+1 || len(st.Rejected) > maxRejected {
		t.Errorf("%d transactions counted of %d, %d warnings, %d rejected", st.TransactionCount, len(st.Transactions), len(st.Warnings), len(st.Rejected))
	}
	if st.CASType == "" || st.PAN != "" && len(st.PAN) != 10 {
		t.Errorf("an issuer %q, a PAN of %d characters", st.CASType, len(st.PAN))
	}
	again, err := Parse(rewritten(t, payload), today)
	if err != nil || again.Fingerprint != st.Fingerprint {
		t.Errorf("written again it is another one: %v", err)
	}
}

func TestFoliosWithinFoliosAreRead(t *testing.T) {
	t.Parallel()
	st, err := Parse([]byte(`{"meta":{"cas_type":"CAMS"},"mutual_funds":[{"amc":"Outer AMC","folios":[{"folio_number":"1","folios":[
		{"folio_number":"2","schemes":[{"name":"A","units":1,"value":100}]}]}]}]}`), today)
	if err != nil {
		t.Fatal(err)
	}
	if st.ReceivedRows != 1 || st.Holdings[0].Account != "2" || st.Holdings[0].Institution != "Outer AMC" {
		t.Errorf("%d rows: %+v", st.ReceivedRows, st.Holdings)
	}
}

func TestTheSameTextFromTwoIssuersIsTwoStatements(t *testing.T) {
	t.Parallel()
	of := func(body string) [32]byte {
		t.Helper()
		st, err := Parse([]byte(body), today)
		if err != nil {
			t.Fatal(err)
		}
		return st.Fingerprint
	}
	const text = `{"nps":[{"funds":[{"name":"F","value":1}]}]}`
	cdsl := of(`{"data":` + text + `,"metadata":{"cas_type":"CDSL"}}`)
	if cdsl == of(`{"data":`+text+`,"metadata":{"cas_type":"CAMS"}}`) {
		t.Error("statements of two issuers have the same fingerprint")
	}
	if cdsl != of(`{"nps":[{"funds":[{"name":"F","value":1}]}],"data":null,"raw_response":null,"metadata":{"cas_type":"cdsl"}}`) {
		t.Error("an envelope around nothing changes the fingerprint")
	}
}
