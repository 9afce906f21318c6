package portfolio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/testkit/storetest"
)

// FuzzIngest saves arbitrary bytes over HTTP. The answer is never a 5xx, and whatever was
// saved is read back exactly: each row and each byte.
func FuzzIngest(f *testing.F) {
	for _, pattern := range []string{"../statement/testdata/*.vendor.json", "../sandbox/statements/*.json"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if seed, err := os.ReadFile(file); err == nil { //nolint:gosec // found by the test
				f.Add(seed)
			}
		}
	}
	for _, seed := range []string{
		``, `null`, `[]`, `{`, `{"data":{}}`, `{"raw_response":{"data":null}}`, `{"status":"closed"}`,
		`{"meta":{"cas_type":"cams"},"nps":[{"funds":[{"units":1e9,"name":"\u0000"}]}]}`,
		`{"cas_type":"NSDL","insurance":{"life_insurance_policies":[{"sum_assured":"1.0"},null,7]}}`,
		`{"cas_type":"CDSL","demat_accounts":[{"value":1,"holdings":{"others":[{}],"aifs":[{"isin":"x","units":-0}]}}]}`,
		traded, string(generate(rand.New(rand.NewPCG(1, 2))).payload), //nolint:gosec // tests need no secret numbers
		`{"cas_type":"CDSL","nps":[{"funds":[{"additional_info":{"tier":1e-1}}]}]}`, `{"a":1,"a":2}`, "{\"a\":\"\xc3\x28\"}",
	} {
		f.Add([]byte(seed))
	}
	db := storetest.New(f)
	service := &portfolio.Service{Store: db, Reader: db, Keys: db, Now: time.Now}
	e := echo.New()
	e.HTTPErrorHandler = httpapi.HandleError
	(&portfolio.Handler{Portfolios: service, MaxBody: maxBody}).Mount(e.Group("/v1"))
	who := auth.Principal{Subject: "demo:fuzz"}
	f.Fuzz(func(t *testing.T, payload []byte) {
		ctx := auth.With(t.Context(), &who)
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/portfolios", bytes.NewReader(payload))
		req.Header.Set("Content-Type", "application/json")
		res := httptest.NewRecorder()
		e.ServeHTTP(res, req)
		if res.Code >= 300 {
			if res.Code >= 500 {
				t.Fatalf("answered %d: %s", res.Code, res.Body)
			}
			return
		}
		saved := reply{res.Code, res.Header(), res.Body.Bytes()}.want(t, res.Code)
		read, err := readBack(ctx, service, who, saved.ID)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := statement.Parse(payload, time.Now())
		if err != nil || canonical(t, sent.Summary) != canonical(t, read.Summary) || canonical(t, sent.Holdings) != canonical(t, read.Holdings) ||
			canonical(t, sent.Transactions) != canonical(t, read.Transactions) {
			t.Errorf("%v: sent %+v, read %+v", err, sent, read)
		}
		raw, err := service.Payload(ctx, who, saved.ID)
		if err != nil || res.Code == http.StatusCreated && !bytes.Equal(raw, payload) {
			t.Errorf("read %q, %v", raw, err)
		}
		if err := service.Delete(ctx, who, saved.ID); err != nil {
			t.Error(err)
		}
	})
}

// readBack reads a saved statement.
func readBack(ctx context.Context, service *portfolio.Service, who auth.Principal, id string) (read statement.Statement, err error) {
	p, holdings, err := service.Get(ctx, who, id)
	if err != nil {
		return read, err
	}
	transactions, next, err := service.Transactions(ctx, who, id, portfolio.AllHoldings, 0, 1<<20)
	if next != 0 {
		err = errors.Join(err, fmt.Errorf("there are more than %d transactions", len(transactions)))
	}
	return statement.Statement{Summary: p.Summary, Holdings: holdings, Transactions: transactions}, err
}

// canonical encodes a part of a statement so that 1.0 equals 1, and nil an empty list.
func canonical(t *testing.T, part any) string {
	t.Helper()
	b, err := json.Marshal(part, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
