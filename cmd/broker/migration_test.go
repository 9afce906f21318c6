package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
)

func TestProgramWaitsForTheMigrationOfAnotherOne(t *testing.T) {
	t.Parallel()
	p := build(t)
	other := flock.New(filepath.Join(p.folder, "broker.db.lock")) // as a program that migrates
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Unlock() })
	p.prepare()
	p.launch()
	p.wait("/healthz", http.StatusOK)
	for _, path := range []string{"/readyz", "/v1/portfolios"} {
		r, err := p.call(t.Context(), token(t, "asha"), http.MethodGet, path, nil)
		if err != nil || r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "starting") {
			t.Errorf("%s while another program migrates: got %v, %d %s; want 503 starting", path, err, r.status, r.body)
		}
	}
	if err := other.Unlock(); err != nil {
		t.Fatal(err)
	}
	p.wait("/readyz", http.StatusOK)
	p.must(token(t, "asha"), http.MethodGet, "/v1/portfolios", nil, http.StatusOK, new(any))
}
