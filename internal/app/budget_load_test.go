package app_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/config"
	"casbroker/internal/credit"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// pricedCalls is the number of calls of TestBudgetAndRecordedCallsSurviveTheLossOfRedis: 0.5 credits
// each, if they succeed.
var pricedCalls int64 = 2000

const (
	callers   = 16
	mailed    = `{"email":"a@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`
	malformed = `{"email":"nobody"}`
)

func TestBudgetAndRecordedCallsSurviveTheLossOfRedis(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedis(t)
	settings, vendor := settingsWith(t, secret.URL(storetest.Postgres(t)), secret.URL(redis.URL), sandbox.Options{Credits: -1})
	allFeatures(&settings)
	settings.RateLimit.Token = config.Limits{}
	settings.Gateway.MaxUploads, settings.Gateway.MaxUploadsPerUser = 0, 0
	// Nine in ten calls succeed, for which neither budget is enough.
	limit, each := credit.Amount(pricedCalls)*300, credit.Amount(pricedCalls)*35
	settings.Budgets = []config.Budget{
		{Name: "all", Scope: config.ScopeAll, Period: config.PeriodMonth, Credits: config.Credits(limit)},
		{Name: "user", Scope: config.ScopeUser, Period: config.PeriodMonth, Credits: config.Credits(each)},
	}
	replicas := []*broker{start(t, settings), start(t, settings), start(t, settings)}
	tokens := make([]string, 10)
	for i := range tokens {
		tokens[i] = replicas[i%3].gatewayToken(t, "user"+strconv.Itoa(i), "").AccessToken
	}
	var begun, succeeded, refused atomic.Int64
	var calling sync.WaitGroup
	for caller := range callers {
		random := rand.New(rand.NewPCG(uint64(caller), 11)) //nolint:gosec // a test
		calling.Go(func() {
			for begun.Add(1) <= pricedCalls {
				body := mailed
				if random.IntN(10) == 0 {
					body = malformed
				}
				b := replicas[random.IntN(3)]
				switch status := mail(t, b, tokens[random.IntN(len(tokens))], body); status {
				case http.StatusOK:
					succeeded.Add(1)
				case http.StatusPaymentRequired:
					refused.Add(1)
				case http.StatusBadRequest: // malformed
				default:
					t.Errorf("got the status %d", status)
				}
			}
		})
	}
	for _, after := range []int64{pricedCalls / 5, pricedCalls / 2} {
		for begun.Load() < after && !t.Failed() {
			<-time.After(time.Millisecond)
		}
		redis.Stop()
		for begun.Load() < after+pricedCalls/10 && !t.Failed() {
			<-time.After(time.Millisecond)
		}
		redis.Start(t)
	}
	calling.Wait()

	ours, theirs := recordedCredits(t, settings.Store.URL.Reveal()), vendorsCredits(t, settings.Upstream.URL)
	spent := theirs["kfintech_cas_generator"].credits
	if spent > limit || spent < limit*9/10 || refused.Load() == 0 {
		t.Errorf("%s credits were spent and %d calls refused, want at most %s and some", spent, refused.Load(), limit)
	}
	got := ours["kfintech_cas_generator"]
	if want := theirs["kfintech_cas_generator"]; got != want || spent != credit.Amount(succeeded.Load())*credit.One/2 || len(theirs) != 1 {
		t.Errorf("we recorded %+v, the vendor's %+v, and %d calls succeeded", got, theirs, succeeded.Load())
	}
	if n := vendor.Calls("/v4/generate"); int64(n) != pricedCalls-refused.Load() {
		t.Errorf("the vendor got %d calls, want those that were not refused: %d", n, pricedCalls-refused.Load())
	}
	db := storetest.Open(t, settings.Store.URL.Reveal(), storetest.NewBox(t))
	for _, b := range []budget.Budget{
		{Scope: budget.All, Period: budget.Month, Credits: limit}, {Scope: budget.User, Period: budget.Month, Credits: each},
	} {
		use, err := db.BudgetUse(t.Context(), b, budget.Month.Start(time.Now()))
		if err != nil || use.Most > b.Credits || b.Scope == budget.All && use.Most != spent {
			t.Errorf("budget of %s: got %+v, %v, want at most %s", b.Scope, use, err, b.Credits)
		}
	}
}

// mail has a statement mailed and returns the status of the answer.
func mail(t *testing.T, b *broker, token, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, b.URL+"/gateway/v4/generate", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("X-Api-Key", token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
