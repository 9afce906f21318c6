package portfolio_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shares is a statement with n shares.
func shares(n int) []byte {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf(`{"isin":"INE999Z01012","name":"EXAMPLE STEEL %d","units":1,"value":10}`, i)
	}
	return fmt.Appendf(nil, `{"meta":{"cas_type":"CDSL"},"investor":{"pan":"AAAPZ9999A"},"demat_accounts":[{"demat_type":"CDSL","bo_id":"1209999900000001",
		"holdings":{"equities":[%s]}}]}`, strings.Join(rows, ","))
}

func TestReadIsNotSentAgainToWhoHasIt(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.save("asha", shares(40)).want(t, http.StatusCreated)
	p := b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK)
	for _, path := range []string{
		"/v1/portfolios", "/v1/portfolios/latest", "/v1/portfolios/" + p.ID, "/v1/portfolios/" + p.ID + "/holdings",
		"/v1/portfolios/" + p.ID + "/holdings?format=csv", "/v1/portfolios/" + p.ID + "/transactions", "/v1/portfolios/" + p.ID + "/raw",
		"/v1/portfolios/" + p.ID + "/changes", "/v1/holdings", "/v1/holdings?format=csv", "/v1/accounts", "/v1/accounts/" + p.Accounts[0].ID, "/v1/worth",
	} {
		first := b.get("asha", path)
		tag := first.header.Get("ETag")
		if first.status != http.StatusOK || tag == "" {
			t.Errorf("%s: got %d with ETag %q", path, first.status, tag)
			continue
		}
		for _, sent := range []string{tag, `"other", ` + tag, strings.TrimPrefix(tag, "W/"), "*"} {
			again := b.call("asha", http.MethodGet, path, nil, "If-None-Match", sent)
			if again.status != http.StatusNotModified || len(again.body) > 0 || again.header.Get("ETag") != tag {
				t.Errorf("%s with If-None-Match %s: got %d with %d bytes and ETag %q, want 304 with %q", path, sent, again.status, len(again.body), again.header.Get("ETag"), tag)
			}
		}
		if other := b.call("asha", http.MethodGet, path, nil, "If-None-Match", `W/"other"`); other.status != http.StatusOK {
			t.Errorf("%s with another ETag: got %d, want 200", path, other.status)
		}
	}
	tag := b.get("asha", "/v1/portfolios").header.Get("ETag")
	b.save("asha", ofMonth(3)).want(t, http.StatusCreated)
	if r := b.call("asha", http.MethodGet, "/v1/portfolios", nil, "If-None-Match", tag); r.status != http.StatusOK {
		t.Errorf("after another save: got %d, want 200", r.status)
	}
}

func TestLongAnswerIsCompressedIfThatIsAccepted(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.save("asha", shares(40)).want(t, http.StatusCreated)
	plain := b.call("asha", http.MethodGet, "/v1/holdings", nil, "Accept-Encoding", "identity")
	for accepted, want := range map[string]string{
		"gzip": "gzip", "br, GZIP;q=0.5": "gzip", "gzip;q=0, br": "", "gzip;q=0.0": "", "identity": "", "br": "", "xgzip": "",
	} {
		r := b.call("asha", http.MethodGet, "/v1/holdings", nil, "Accept-Encoding", accepted)
		body := r.body
		if r.header.Get("Content-Encoding") == "gzip" {
			zip, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(zip); err != nil {
				t.Fatal(err)
			}
			if len(r.body)*4 > len(body) {
				t.Errorf("got %d bytes for %d, want a fraction", len(r.body), len(body))
			}
		}
		if got := r.header.Get("Content-Encoding"); got != want || !bytes.Equal(body, plain.body) || r.header.Get("ETag") != plain.header.Get("ETag") {
			t.Errorf("%q: got Content-Encoding %q with %d bytes, want %q with %d", accepted, got, len(body), want, len(plain.body))
		}
		if length := r.header.Get("Content-Length"); length != strconv.Itoa(len(r.body)) || !strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%q: got Content-Length %s and Vary %v", accepted, length, r.header.Values("Vary"))
		}
	}
	small := b.call("bina", http.MethodGet, "/v1/portfolios", nil, "Accept-Encoding", "gzip")
	if got := small.header.Get("Content-Encoding"); got != "" || len(small.body) == 0 {
		t.Errorf("short answer: got Content-Encoding %q with %d bytes, want none", got, len(small.body))
	}
}

func TestSavedAtHasMilliseconds(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.clock.Store(-1e6) // the next call is at the beginning of a second
	saved := b.save("asha", shares(1))
	p := b.get("asha", "/v1/portfolios/latest")
	for name, body := range map[string][]byte{
		"save": saved.body, "list": b.get("asha", "/v1/portfolios").body, "latest": p.body,
		"account": b.get("asha", "/v1/accounts/"+p.want(t, http.StatusOK).Accounts[0].ID).body,
	} {
		if !regexp.MustCompile(`"saved_at":"2026-04-01T09:\d\d:\d\d\.\d{3}Z"`).Match(body) {
			t.Errorf("%s: got %s, want saved_at with three digits of milliseconds", name, body)
		}
	}
}
