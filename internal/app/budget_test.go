package app_test

import (
	"net/http"
	"slices"
	"strings"
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

// creditsByFeature are credits and calls by feature.
type creditsByFeature map[string]struct {
	calls   int64
	credits credit.Amount
}

// recordedCredits returns what a broker's database says about today, once no call is open.
func recordedCredits(t *testing.T, url string) creditsByFeature {
	t.Helper()
	db := storetest.Open(t, url, storetest.NewBox(t))
	for end := time.Now().Add(10 * time.Second); ; <-time.After(5 * time.Millisecond) {
		n, _, err := db.OpenCalls(t.Context())
		if n == 0 && err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d calls are open, %v", n, err)
		}
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	list, err := db.CallTotals(t.Context(), budget.TotalsQuery{
		From: today.AddDate(0, 0, -1), To: today.AddDate(0, 0, 1), By: []budget.Dimension{budget.ByFeature},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := creditsByFeature{}
	for _, x := range list {
		b[x.Feature] = struct {
			calls   int64
			credits credit.Amount
		}{x.Calls, x.Credits}
	}
	return b
}

// vendorsCredits returns the vendor's own summary.
func vendorsCredits(t *testing.T, url string) creditsByFeature {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/usage/summary", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", apiKey)
	var answer struct {
		Summary struct {
			ByFeature []struct {
				Feature  string
				Requests int64
				Credits  float64
			} `json:"by_feature"`
		}
	}
	send(t, http.DefaultClient, req).must(t, 200).decode(t, &answer)
	b := creditsByFeature{}
	for _, f := range answer.Summary.ByFeature {
		b[f.Feature] = struct {
			calls   int64
			credits credit.Amount
		}{f.Requests, credit.Amount(f.Credits*1000 + 0.5)}
	}
	return b
}

func TestRecordedCreditsEqualTheVendors(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		allFeatures(&settings)
		b := start(t, settings)
		for _, who := range []string{"asha", "rohan"} {
			page := b.page(t, who)
			parse(t, page.url, page.token, "cdsl", "ABCDE1234F").must(t, 200)
			parse(t, page.url, page.token, "cdsl", "wrong")
			page.call(t, "POST", "/v4/generate", `{"email":"a@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`).must(t, 200)
			page.call(t, "POST", "/v4/cdsl/fetch", `{"pan":"x"}`).mustFail(t, 400, "")
			var session struct {
				ID string `json:"session_id"`
			}
			page.call(t, "POST", "/v4/cdsl/fetch", `{"pan":"ABCDE1234F","bo_id":"1234567890123456","dob":"1990-01-31"}`).must(t, 200).decode(t, &session)
			page.call(t, "POST", "/v4/cdsl/fetch/"+session.ID+"/verify", `{"otp":"000000"}`)
			page.call(t, "POST", "/v4/cdsl/fetch/"+session.ID+"/verify", `{"otp":"`+sandbox.OTP+`"}`).must(t, 200)
			page.call(t, "POST", "/v4/inbox/connect", `{"redirect_uri":"https://app.example/back","provider":"gmail"}`).must(t, 200)
			forwarded := page.createAddress(t).ID
			for range 2 {
				if got := deliver(t, settings, forwarded); got != "delivered" {
					t.Errorf("the callback is %s", got)
				}
			}
		}
		ours, theirs := recordedCredits(t, settings.Store.URL.Reveal()), vendorsCredits(t, settings.Upstream.URL)
		if len(ours) != 5 || len(theirs) != 5 {
			t.Errorf("got the features %v and %v, want 5", ours, theirs)
		}
		for feature, want := range theirs {
			if got := ours[feature]; got != want {
				t.Errorf("%s: we recorded %+v, the vendor's %+v", feature, got, want)
			}
		}
	})
}

func TestBudgetHoldsOverReplicasAndComesInTheVendorsShape(t *testing.T) {
	t.Parallel()
	settings, vendor := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL))
	allFeatures(&settings)
	settings.Budgets = []config.Budget{{Name: "user-day", Scope: config.ScopeUser, Period: config.PeriodDay, Credits: 2500}}
	one, two := start(t, settings), start(t, settings)
	asha := one.page(t, "asha")
	use := func(b *broker) answer { return parse(t, asha.on(b).url, asha.token, "cdsl", "ABCDE1234F") }
	use(one).must(t, 200)
	use(two).must(t, 200)
	for _, b := range []*broker{one, two} {
		a := use(b).mustFail(t, 402, "BUDGET_EXHAUSTED")
		if !strings.Contains(a.body, "Your budget for importing statements is used up. It renews on ") || a.header.Get("Retry-After") == "" {
			t.Errorf("got %s %v", a.body, a.header)
		}
	}
	if n := calls(vendor); n != 2 {
		t.Errorf("the vendor got %d parses, want 2", n)
	}
	// What is left is enough for a cheaper call, and another user has a budget of its own.
	asha.call(t, "POST", "/v4/generate", `{"email":"a@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`).must(t, 200)
	rohan := one.page(t, "rohan")
	parse(t, rohan.url, rohan.token, "cdsl", "ABCDE1234F").must(t, 200)
}

// ownUsage is the answer of GET /v1/usage.
type ownUsage struct {
	Days []struct {
		Day, Feature, Credits string
		Calls, Failures       int
	}
	Total struct {
		Calls, Failures int
		Credits         string
	}
	Budgets []struct {
		Name, Credits, Used, Remaining string
		Exhausted                      bool
	}
}

// usageOf returns the usage of who, once that many calls have ended.
func (b *broker) usageOf(t *testing.T, who string, calls int) (u ownUsage) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; <-time.After(5 * time.Millisecond) {
		u = ownUsage{}
		b.call(t, who, "GET", "/v1/usage", "").must(t, 200).decode(t, &u)
		if u.Total.Calls == calls {
			return u
		}
		if time.Now().After(end) {
			t.Fatalf("got %+v, want %d calls", u, calls)
		}
	}
}

func TestUserSeesAndTakesAwayItsOwnCalls(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		allFeatures(&settings)
		settings.RateLimit.Read = config.Limits{}
		settings.Budgets = []config.Budget{
			{Name: "user-day", Scope: config.ScopeUser, Period: config.PeriodDay, Credits: 5000},
			{Name: "all", Scope: config.ScopeAll, Period: config.PeriodMonth, Credits: 1500},
			{Name: "other", Scope: config.ScopeUser, App: "app", Period: config.PeriodMonth, Credits: 9000, Soft: true},
		}
		b := start(t, settings)
		asha := b.page(t, "asha")
		parse(t, asha.url, asha.token, "cdsl", "wrong")
		b.usageOf(t, "asha", 1) // it has given its credit back
		parse(t, asha.url, asha.token, "cdsl", "ABCDE1234F").must(t, 200)
		asha.call(t, "POST", "/v4/generate", `{"email":"a@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`).must(t, 200)
		u := b.usageOf(t, "asha", 3)
		if u.Total.Failures != 1 || u.Total.Credits != "1.5" || len(u.Days) != 2 || u.Days[1].Feature != "smart_parser" || u.Days[1].Calls != 2 || u.Days[1].Credits != "1" {
			t.Errorf("got %+v", u)
		}
		if len(u.Budgets) != 2 || u.Budgets[0].Remaining != "3.5" || u.Budgets[0].Used != "1.5" || u.Budgets[0].Exhausted ||
			u.Budgets[1].Name != "all" || !u.Budgets[1].Exhausted || u.Budgets[1].Used+u.Budgets[1].Credits != "" {
			t.Errorf("got budgets %+v", u.Budgets)
		}
		if other := b.usageOf(t, "rohan", 0); len(other.Days) != 0 || other.Budgets[0].Remaining != "5" {
			t.Errorf("another user sees %+v", other)
		}
		for _, query := range []string{"?subject=app:asha", "?from=x", "?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "?from=2020-01-01T00:00:00Z"} {
			b.call(t, "asha", "GET", "/v1/usage"+query, "").must(t, 400)
		}
		var export struct {
			Calls []struct {
				Feature, Outcome, Reason, Credits string
			}
		}
		b.call(t, "asha", "GET", "/v1/me/export", "").must(t, 200).decode(t, &export)
		if len(export.Calls) != 3 || export.Calls[1].Credits != "1" || export.Calls[0].Outcome != "vendor_error" || export.Calls[0].Reason != "INVALID_PASSWORD" {
			t.Errorf("got the calls %+v", export.Calls)
		}
		b.call(t, "asha", "DELETE", "/v1/me", "").must(t, 200)
		if u := b.usageOf(t, "asha", 0); len(u.Days) != 0 || u.Budgets[0].Remaining != "3.5" {
			t.Errorf("after the erasure: got %+v, want no calls and no more credits than before", u)
		}
	})
}

func TestMetricsCountCreditsAndBudgetsWithoutUsers(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	settings.Server.MetricsAddress = freeAddress(t)
	settings.Budgets = []config.Budget{{Name: "user-day", Scope: config.ScopeUser, Period: config.PeriodDay, Credits: 1000}}
	b := start(t, settings)
	asha := b.page(t, "asha")
	parse(t, asha.url, asha.token, "cdsl", "ABCDE1234F").must(t, 200)
	parse(t, asha.url, asha.token, "cdsl", "ABCDE1234F").mustFail(t, 402, "BUDGET_EXHAUSTED")
	b.usageOf(t, "asha", 1)
	want := []string{
		`casbroker_gateway_credits_total{feature="smart_parser",key="default"} 1`,
		`casbroker_budget_reached_total{budget="user-day"} 1`,
		`casbroker_budget_limit_credits{budget="user-day"} 1`,
		`casbroker_budget_used_credits{budget="user-day"} `,
	}
	for end := time.Now().Add(10 * time.Second); ; <-time.After(5 * time.Millisecond) { // a job measures budgets
		metrics := scrape(t, settings.Server.MetricsAddress)
		missing := slices.IndexFunc(want, func(line string) bool { return !strings.Contains(metrics, line) })
		if strings.Contains(metrics, "asha") {
			t.Error("the metrics name a user")
		}
		if missing < 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the metrics lack %s:\n%s", want[missing], metrics)
		}
	}
}
