package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/vendortest"
)

// TestQuotaHoldsForStatementsThatWait has a user send two statements while the quota still has space for
// one, and repeat the first request once there is none.
func TestQuotaHoldsForStatementsThatWait(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.Portfolio.MaxPerUser = 1
		settings.RateLimit.Read = config.Limits{}
		held := vendortest.Hold(t, vendor, parseCall)
		settings.Upstream.URL = held.URL
		b := start(t, settings)
		first := b.upload(t, "asha", "cdsl", "ABCDE1234F", "Prefer", "respond-async", "Idempotency-Key", "one").must(t, 202).header.Get("Location")
		held.Arrivals(t, 1)
		second := b.upload(t, "asha", "nsdl", "ABCDE1234F", "Prefer", "respond-async").must(t, 202).header.Get("Location")
		held.Release()
		jobs := []statementJob{b.ended(t, "asha", first), b.ended(t, "asha", second)}
		if jobs[0].State != "done" {
			jobs[0], jobs[1] = jobs[1], jobs[0]
		}
		if jobs[0].State != "done" || jobs[1].State != "failed" || jobs[1].Problem.Code != "quota_exceeded" || jobs[1].Problem.Status != http.StatusConflict {
			t.Errorf("got %+v, want one that is done and one that failed with 409 quota_exceeded", jobs)
		}
		again := b.upload(t, "asha", "cdsl", "ABCDE1234F", "Prefer", "respond-async", "Idempotency-Key", "one").must(t, 202)
		if got := again.header.Get("Location"); got != first {
			t.Errorf("got %s for a repetition, want %s", got, first)
		}
		b.upload(t, "asha", "cdsl", "ABCDE1234F", "Prefer", "respond-async", "Idempotency-Key", "two").mustRefuse(t, http.StatusConflict, "quota_exceeded")
	})
}

func TestQuotaHoldsForAllWaysToSave(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.Portfolio.MaxPerUser = 1
		settings.Token.Mode = config.ModeBoth
		settings.RateLimit.Read = config.Limits{}
		key := serviceKey(t, &settings, "crm", []string{"app"}, auth.ScopeService)
		b := start(t, settings)
		first := b.post(t, "asha", small(1), http.StatusCreated)
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", small(2)).mustRefuse(t, http.StatusConflict, "quota_exceeded")
		b.as(t, key, http.MethodPost, "/v1/users/app:asha/portfolios", small(2), "Content-Type", "application/json").
			mustRefuse(t, http.StatusConflict, "quota_exceeded")

		// Uploads cost no credit then.
		refused := b.upload(t, "asha", "cdsl", "ABCDE1234F").mustRefuse(t, http.StatusConflict, "quota_exceeded")
		if !strings.Contains(refused.body, first.ID) {
			t.Errorf("got %s, want it to name %s", refused.body, first.ID)
		}
		b.upload(t, "asha", "cdsl", "ABCDE1234F", "Prefer", "respond-async").mustRefuse(t, http.StatusConflict, "quota_exceeded")
		if calls := vendor.Calls(parseCall); calls != 0 {
			t.Errorf("the vendor got %d calls, want 0", calls)
		}

		// A page gets what the vendor answered, and can save it later.
		answer := b.parsed(t, "asha", "cdsl")
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", answer).mustRefuse(t, http.StatusConflict, "quota_exceeded")
		within(t, 10*time.Second, "the answer is dropped", func() bool {
			return strings.Contains(b.log.String(), `"code":"quota_exceeded"`) || strings.Contains(b.log.String(), "code=quota_exceeded")
		})
		b.call(t, "asha", http.MethodDelete, "/v1/portfolios/"+first.ID, "").must(t, http.StatusNoContent)
		b.post(t, "asha", answer, http.StatusCreated)
	})
}
