package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/vendortest"
)

// deploy starts three replicas on PostgreSQL, or one broker on SQLite.
func deploy(t *testing.T, settings config.Config) []*broker {
	t.Helper()
	all := []*broker{start(t, settings)}
	if strings.HasPrefix(settings.Store.URL.Reveal(), "postgres") {
		all = append(all, start(t, settings), start(t, settings))
	}
	return all
}

// TestReplicasParseTheStatementOfAJobOnce has one replica take more statements than it has
// workers for. While the vendor holds the first, each of the others gets one, too.
func TestReplicasParseTheStatementOfAJobOnce(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.RateLimit.Read, settings.RateLimit.Upload = config.Limits{}, config.Limits{}
		settings.Statements.Workers = 1
		held := vendortest.Hold(t, vendor, parseCall)
		settings.Upstream.URL = held.URL
		all := deploy(t, settings)
		var jobs [9]string
		for i := range jobs {
			jobs[i] = all[0].upload(t, fmt.Sprint("user", i), "cdsl", "ABCDE1234F", "Prefer", "respond-async").must(t, 202).header.Get("Location")
		}
		held.Arrivals(t, len(all))
		held.Release()
		for i, location := range jobs {
			who, b := fmt.Sprint("user", i), all[i%len(all)]
			if j := b.ended(t, who, location); j.State != "done" || !j.Created || b.latest(t, who).ID != j.PortfolioID {
				t.Errorf("got %+v, want a new portfolio", j)
			}
		}
		held.Arrivals(t, len(jobs)-len(all))
		held.NoMore(t)
		if n := vendor.Calls(parseCall); n != len(jobs) {
			t.Errorf("the vendor got %d parses of %d statements", n, len(jobs))
		}
	})
}

// TestReplicasParseAForwardedFileOnce reports each file to all replicas at once.
func TestReplicasParseAForwardedFileOnce(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		parseMail(&settings)
		settings.RateLimit.Read = config.Limits{}
		settings.Statements.Workers = 1
		held := vendortest.Hold(t, vendor, parseCall)
		settings.Upstream.URL = held.URL
		all := deploy(t, settings)
		const users = 6
		for i := range users {
			who, b := fmt.Sprint("user", i), all[i%len(all)]
			b.call(t, who, http.MethodPut, "/v1/mail-parsing", rightPassword).must(t, 200)
			a := b.page(t, who).createAddress(t)
			path := b.callbackPath(t, settings, a.ID)
			report := deliveredFile(t, settings, a)
			var repeated sync.WaitGroup
			for _, replica := range all {
				repeated.Go(func() {
					if got := replica.call(t, "", http.MethodPost, path, report); got.status != 200 || strings.TrimSpace(got.body) != `{"files":0}` {
						t.Errorf("got %d %s for a repetition", got.status, got.body)
					}
				})
			}
			repeated.Wait()
		}
		held.Arrivals(t, len(all))
		held.Release()
		for i := range users {
			if saved := all[(i+1)%len(all)].savedWithin(t, fmt.Sprint("user", i)); saved.Provenance != "verified" {
				t.Errorf("got %+v, want it to be verified", saved)
			}
		}
		if n := vendor.Calls(parseCall); n != users {
			t.Errorf("the vendor got %d parses of %d files", n, users)
		}
	})
}
