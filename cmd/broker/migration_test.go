package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"casbroker/internal/testkit/brokertest"
)

func TestProgramWaitsForTheMigrationOfAnotherOne(t *testing.T) {
	t.Parallel()
	p := build(t)
	other := flock.New(filepath.Join(p.Folder, "broker.db.lock")) // as a program that migrates
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Unlock() })
	p.Prepare()
	p.Launch()
	p.Wait("/healthz", http.StatusOK)
	for _, path := range []string{"/readyz", "/v1/portfolios"} {
		r, err := p.Call(t.Context(), brokertest.Token(t, "asha"), http.MethodGet, path, nil)
		if err != nil || r.Status != http.StatusServiceUnavailable || !strings.Contains(string(r.Body), "starting") {
			t.Errorf("%s while another program migrates: got %v, %d %s; want 503 starting", path, err, r.Status, r.Body)
		}
	}
	if err := other.Unlock(); err != nil {
		t.Fatal(err)
	}
	p.Wait("/readyz", http.StatusOK)
	p.Must(brokertest.Token(t, "asha"), http.MethodGet, "/v1/portfolios", nil, http.StatusOK, new(any))
}
