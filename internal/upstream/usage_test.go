package upstream_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/budget"
	"casbroker/internal/sandbox"
	"casbroker/internal/upstream"
)

func TestUsageOfADayIsReadFromTheVendor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)
	box := sandbox.New(sandbox.Options{APIKey: apiKey, Now: func() time.Time { return now }})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	use := func() {
		for path, body := range map[string]string{
			"/v4/generate":   `{"email":"a@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`,
			"/v4/cdsl/fetch": `{}`,
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Api-Key", apiKey)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
	}
	use()
	now = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC) // the first instant of the next day
	use()
	client := upstream.New(quickOptions(server.URL))
	day := now.AddDate(0, 0, -1)
	got, err := client.Usage(t.Context(), &apikey.Key{Name: "default", Value: apiKey}, day, now)
	want := map[string]budget.VendorUsage{
		"kfintech_cas_generator": {Feature: "kfintech_cas_generator", Calls: 1, Credits: 500}, "cdsl_cas_fetch": {Feature: "cdsl_cas_fetch", Calls: 1},
	}
	if err != nil || len(got) != 2 || got[0] != want[got[0].Feature] || got[1] != want[got[1].Feature] {
		t.Errorf("got %+v, %v, want %v", got, err, want)
	}
}

func TestUndocumentedUsageIsRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "no summary": `{"status":"success"}`, "a null list": `{"summary":{"by_feature":null}}`,
		"no feature":       `{"summary":{"by_feature":[{"requests":1,"credits":1}]}}`,
		"no requests":      `{"summary":{"by_feature":[{"feature":"x","credits":1}]}}`,
		"no credits":       `{"summary":{"by_feature":[{"feature":"x","requests":1}]}}`,
		"negative credits": `{"summary":{"by_feature":[{"feature":"x","requests":1,"credits":-1}]}}`,
		"huge credits":     `{"summary":{"by_feature":[{"feature":"x","requests":1,"credits":1e29}]}}`,
		"text":             `{"summary":{"by_feature":[{"feature":"x","requests":1,"credits":"1"}]}}`,
	} {
		c, _ := serve(t, answer(200, body))
		got, err := c.Usage(t.Context(), &apikey.Key{Name: "default", Value: apiKey}, time.Now(), time.Now())
		wantFault(t, err, upstream.ErrBadAnswer)
		if got != nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
