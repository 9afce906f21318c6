package portfolio_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/testkit/storetest"
)

// minimal returns a small statement with one fund called name.
func minimal(name string) []byte {
	quoted, _ := json.Marshal(name)
	return fmt.Appendf(nil, `{"meta":{"cas_type":"NSDL","statement_period":{"from":"2026-03-01","to":"2026-03-31"}},
		"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},
		"nps":[{"pran":"990000000091","funds":[{"name":%s,"units":1.50,"value":10.1}]}]}`, quoted)
}

func TestSampleStatementsAreSavedWithAllRows(t *testing.T) {
	t.Parallel()
	b := serve(t, storetest.New(t), func(s *portfolio.Service) {
		s.Now = func() time.Time { return time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC) } // after their periods
	})
	files, err := filepath.Glob("../sandbox/statements/*-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got the samples %v, %v", files, err)
	}
	for _, file := range files {
		payload, err := os.ReadFile(file) //nolint:gosec // named by the test
		if err != nil {
			t.Fatal(err)
		}
		want := countRows(t, payload)
		saved := b.save("asha", payload).want(t, http.StatusCreated)
		got := b.get("asha", "/v1/portfolios/"+saved.ID).want(t, http.StatusOK)
		if want == 0 || saved.ReceivedRows != want || saved.StoredRows != want || len(saved.Rejected) != 0 || len(got.Rows) != want {
			t.Errorf("%s: %d rows: %+v, %d read", file, want, saved, len(got.Rows))
		}
		for _, r := range got.Rows {
			if r.Account == nil || r.Name == "" || r.Class != "insurance" && (r.Units == nil || r.Value == nil) {
				t.Errorf("%s: got %+v", file, r)
			}
		}
		if raw := b.get("asha", "/v1/portfolios/"+saved.ID+"/raw"); !bytes.Equal(raw.body, payload) {
			t.Errorf("%s: got a different payload, want the one sent", file)
		}
	}
}

// countRows counts the rows that must become holdings, without the code under test.
func countRows(t *testing.T, payload []byte) int {
	t.Helper()
	var s struct {
		DematAccounts []struct {
			Holdings map[string][]any `json:"holdings"`
		} `json:"demat_accounts"`
		MutualFunds []struct {
			Schemes []any `json:"schemes"`
		} `json:"mutual_funds"`
		Insurance struct {
			Policies []any `json:"life_insurance_policies"`
		} `json:"insurance"`
		NPS []struct {
			Funds []any `json:"funds"`
		} `json:"nps"`
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	n := len(s.Insurance.Policies)
	for _, a := range s.DematAccounts {
		for _, list := range a.Holdings {
			n += len(list)
		}
	}
	for _, f := range s.MutualFunds {
		n += len(f.Schemes)
	}
	for _, a := range s.NPS {
		n += len(a.Funds)
	}
	return n
}

func TestSameStatementInAnyEnvelopeIsOnePortfolio(t *testing.T) {
	t.Parallel()
	const bare = `{"meta":{"cas_type":"NSDL"},"investor":{"name":"Asha"},"nps":[{"pran":"1","funds":[{"name":"F","units":1.50,"value":10}]}]}`
	b := start(t)
	first := b.save("asha", []byte(bare)).want(t, http.StatusCreated)
	for name, payload := range map[string]string{
		"again":                     bare,
		"other white space":         "\n " + strings.ReplaceAll(bare, ",", ", \t") + "\n",
		"other order":               `{"nps":[{"funds":[{"value":10,"units":1.50,"name":"F"}],"pran":"1"}],"investor":{"name":"Asha"},"meta":{"cas_type":"NSDL"}}`,
		"the same numbers":          strings.Replace(strings.Replace(bare, "1.50", "15e-1", 1), ":10}", ":10.00}", 1),
		"escaped letters":           strings.Replace(bare, "Asha", `\u0041sha`, 1),
		"with a status":             `{"status":"success",` + bare[1:],
		"data and metadata":         `{"data":` + bare + `,"metadata":{"filename":"a.pdf"}}`,
		"data and other members":    `{"data":` + bare + `,"metadata":{"method":"upload"},"other":[1]}`,
		"the result of open()":      `{"status":"success","data":` + bare + `,"metadata":null}`,
		"an answer of the vendor":   `{"status":"success","msg":"ok","data":` + bare + `}`,
		"the widget's own shape":    `{"cas_type":"NSDL","folios":[],"raw_response":` + bare + `}`,
		"that shape under data":     `{"data":{"cas_type":"NSDL","raw_response":` + bare + `},"metadata":{}}`,
		"raw_response next to data": `{"data":{"cas_type":"NSDL","folios":[]},"raw_response":` + bare + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := b.save("asha", []byte(payload)).want(t, http.StatusOK)
			if got.ID != first.ID || *got.Created {
				t.Errorf("got %s, created %t", got.ID, *got.Created)
			}
		})
	}
	other := b.save("asha", []byte(strings.Replace(bare, "1.50", "1.51", 1))).want(t, http.StatusCreated)
	if other.ID == first.ID {
		t.Error("another statement has the same id")
	}
}

func TestTwentyConcurrentSavesCreateOnePortfolio(t *testing.T) {
	t.Parallel()
	b := start(t)
	var created, found atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			switch b.save("asha", minimal("Fund")).status {
			case http.StatusCreated:
				created.Add(1)
			case http.StatusOK:
				found.Add(1)
			}
		})
	}
	all.Wait()
	if created.Load() != 1 || found.Load() != 19 {
		t.Errorf("got %d created and %d found, want 1 and 19", created.Load(), found.Load())
	}
	if list := b.get("asha", "/v1/portfolios"); strings.Count(string(list.body), `"id"`) != 1 {
		t.Errorf("got %s, want one portfolio", list.body)
	}
}

func TestNamesAreReturnedExactlyAsSent(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, name := range []string{
		`<script>alert("x")</script>`, `'; DROP TABLE portfolios; --`, "=HYPERLINK(\"http://x\")", "\u202eabc\u2066", "नमस्ते 💰",
		" spaces around ", "line\nbreak\ttab", `back\slash`, "\u2028", "\ufffd",
	} {
		saved := b.save("asha", minimal(name)).want(t, http.StatusCreated)
		got := b.get("asha", "/v1/portfolios/"+saved.ID).want(t, http.StatusOK)
		if got.Rows[0].Name != name {
			t.Errorf("%q came back as %q", name, got.Rows[0].Name)
		}
	}
}

func TestAnswerToASaveHasTheLocation(t *testing.T) {
	t.Parallel()
	b := start(t)
	r := b.save("asha", minimal("Fund"))
	saved := r.want(t, http.StatusCreated)
	if got := r.header.Get("Location"); got != "/v1/portfolios/"+saved.ID {
		t.Errorf("Location is %q", got)
	}
	if !*saved.Created || saved.TotalValue != "10.10" || saved.Holdings["nps"] != 1 {
		t.Errorf("got %s", r.body)
	}
	if strings.Contains(string(r.body), "AAAPZ9999A") {
		t.Errorf("the answer has the whole PAN: %s", r.body)
	}
}

func TestRejectedRowsAreListed(t *testing.T) {
	t.Parallel()
	b := start(t)
	saved := b.save("asha", []byte(`{"data":{"meta":{"cas_type":"CDSL"},"demat_accounts":[{"bo_id":"1","holdings":{
		"equities":[{"name":"A","units":1,"value":2},null,{}],"warrants":[{"name":"W","units":3},{"name":"X"}],"note":"none"}}]}}`))
	got := saved.want(t, http.StatusCreated)
	want := []finding{
		{"/data/demat_accounts/0/holdings/equities/1", "empty_row"}, {"/data/demat_accounts/0/holdings/equities/2", "empty_row"},
		{"/data/demat_accounts/0/holdings/warrants/0", "unknown_class"}, {"/data/demat_accounts/0/holdings/warrants/1", "unknown_class"},
	}
	if got.ReceivedRows != 5 || got.StoredRows != 1 || fmt.Sprint(got.Rejected) != fmt.Sprint(want) {
		t.Errorf("got %+v", got)
	}
}
