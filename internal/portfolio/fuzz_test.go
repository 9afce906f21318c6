package portfolio_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/portfolio"
	"casbroker/internal/problem"
)

// FuzzIngest sends any bytes the whole way. They are never our fault, and what is
// taken can be read again: each row, and each byte.
func FuzzIngest(f *testing.F) {
	for _, pattern := range []string{"testdata/*.vendor.json", "../sandbox/statements/*.json"} {
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
		`{"cas_type":"CDSL","nps":[{"funds":[{"additional_info":{"tier":1e-1}}]}]}`, `{"a":1,"a":2}`, "{\"a\":\"\xc3\x28\"}",
	} {
		f.Add([]byte(seed))
	}
	db := openDatabase(f)
	service := &portfolio.Service{Keeper: db, Finder: db, Keys: db, Now: time.Now}
	e := echo.New()
	e.HTTPErrorHandler = problem.Handle
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
		p, rows, err := service.Get(ctx, who, saved.ID)
		if err != nil || p.StoredRows != len(rows) || p.ReceivedRows != p.StoredRows+len(p.Rejected) {
			t.Errorf("read %+v with %d rows, %v", p, len(rows), err)
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
