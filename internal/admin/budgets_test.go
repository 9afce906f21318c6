package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/credit"
)

var testBudgets = []budget.Budget{
	{Name: "user-day", Scope: budget.User, Period: budget.Day, Credits: 2 * credit.One},
	{Name: "apps", Scope: budget.App, Period: budget.Month, Credits: 100 * credit.One},
	{Name: "shop", Scope: budget.App, App: "shop", Period: budget.Day, Credits: credit.One},
	{Name: "watch", Scope: budget.All, Period: budget.Month, Credits: 50 * credit.One, Soft: true},
}

// vendorUsage is what the vendor says about any day.
func vendorUsage(context.Context, time.Time, time.Time) ([]budget.VendorUsage, error) {
	return []budget.VendorUsage{{Feature: "smart_parser", Calls: 3, Credits: 2 * credit.One}}, nil
}

// parse records a parse of subject that costs used.
func (b *broker) parse(t *testing.T, subject string, used credit.Amount) {
	t.Helper()
	id, err := b.ledger.Begin(t.Context(), budget.Call{Subject: subject, Feature: "smart_parser", Reserved: credit.One})
	if err != nil {
		t.Fatal(err)
	}
	r := budget.Result{Outcome: budget.OutcomeOK, KeyName: "main", Delivery: budget.Answered, Used: used}
	if used == 0 {
		r.Outcome = "vendor_error"
	}
	if err := b.ledger.End(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
}

// sum is what calls have cost.
type sum struct {
	Name     string `json:"name"`
	Feature  string `json:"feature"`
	Day      string `json:"day"`
	Calls    int    `json:"calls"`
	Failures int    `json:"failures"`
	Credits  string `json:"credits"`
}

func TestCostsAreAddedUpByDayFeatureAppKeyAndUser(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		for _, subject := range []string{"app:asha", "app:asha", "app:rohan", "shop:1"} {
			b.parse(t, subject, credit.One)
		}
		b.passed.Store(int64(24 * time.Hour))
		b.parse(t, "app:rohan", 0)
		if _, err := b.ledger.Begin(t.Context(), budget.Call{Subject: "app:asha", Feature: "smart_parser", Reserved: credit.One}); err != nil {
			t.Fatal(err)
		}
		var got struct {
			From, To                    time.Time
			Total, Open                 sum
			Days                        []sum
			Features, Apps, Keys, Users []sum
		}
		b.get(t, "/usage?limit=1", &got)
		day := begin.UTC().Format(time.DateOnly)
		all := sum{Calls: 5, Failures: 1, Credits: "4"}
		if got.Total != all || got.Open != (sum{Calls: 1, Credits: "1"}) || len(got.Days) != 2 ||
			got.Days[0] != (sum{Day: day, Feature: "smart_parser", Calls: 4, Credits: "4"}) || got.To.Sub(got.From) != 30*24*time.Hour {
			t.Errorf("got %+v", got)
		}
		all.Name = "smart_parser"
		if len(got.Features) != 1 || got.Features[0] != all || len(got.Keys) != 1 || got.Keys[0].Name != "main" {
			t.Errorf("got features %+v, keys %+v", got.Features, got.Keys)
		}
		if len(got.Apps) != 2 || got.Apps[0] != (sum{Name: "app", Calls: 4, Failures: 1, Credits: "3"}) {
			t.Errorf("got apps %+v", got.Apps)
		}
		if len(got.Users) != 1 || got.Users[0] != (sum{Name: "app:asha", Calls: 2, Credits: "2"}) {
			t.Errorf("got users %+v", got.Users)
		}
		b.get(t, "/usage?from=2020-01-01T10:00:00Z&to=2020-01-01T11:00:00Z", &got)
		if got.Total != (sum{Credits: "0"}) || got.To.Sub(got.From) != 24*time.Hour {
			t.Errorf("got %+v", got)
		}
		for query, code := range map[string]string{
			"?from=x": "invalid_time", "?limit=0": "invalid_limit", "?limit=101": "invalid_limit", "?user=x": "invalid_query",
			"?from=2021-01-01T00:00:00Z&to=2020-01-01T00:00:00Z": "invalid_range", "?from=2020-01-01T00:00:00Z": "invalid_range",
		} {
			b.call(t, "meera", http.MethodGet, "/admin/v1/usage"+query, "").failed(t, query, 400, code)
		}
		b.call(t, "asha", http.MethodGet, "/admin/v1/usage", "").failed(t, "a user", 403, "forbidden")
	})
}

func TestOperatorRaisesABudgetForAWhile(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		until := b.now().Add(time.Hour).UTC().Format(time.RFC3339)
		raise := func(name, body string) reply {
			return b.call(t, "meera", http.MethodPost, "/admin/v1/budgets/"+name+"/raise", body)
		}
		b.parse(t, "app:asha", credit.One)
		b.parse(t, "app:asha", credit.One)
		if a := raise("user-day", `{"credits":"1.5","until":"`+until+`","subject":"app:asha"}`); a.status != 201 {
			t.Fatalf("got %+v", a)
		}
		b.parse(t, "app:asha", credit.One)
		raise("apps", `{"credits":"5","until":"`+until+`","app":"shop"}`)
		raise("shop", `{"credits":"5","until":"`+until+`"}`)
		raise("watch", `{"credits":"5","until":"`+until+`"}`)

		var list struct {
			Budgets []struct {
				Name, Most         string
				Holders, Exhausted int
			}
			Raises []struct{ Budget, Subject, App, Credits, Actor string }
		}
		b.get(t, "/budgets", &list)
		if len(list.Budgets) != 4 || list.Budgets[0].Most != "3" || list.Budgets[0].Holders != 1 || list.Budgets[0].Exhausted != 1 || list.Budgets[2].Holders != 0 {
			t.Errorf("got budgets %+v", list.Budgets)
		}
		if len(list.Raises) != 4 || list.Raises[0].Subject != "app:asha" || list.Raises[0].Credits != "1.5" || list.Raises[0].Actor != "ops:meera" ||
			list.Raises[1].App != "shop" || list.Raises[2].App != "shop" || list.Raises[3].App+list.Raises[3].Subject != "" {
			t.Errorf("got raises %+v", list.Raises)
		}
		trail, err := b.db.Trail(t.Context(), "app:asha", audit.Record{}, 100)
		if last := trail[len(trail)-1]; err != nil || last.Action != audit.BudgetRaise || last.Object != "user-day" ||
			last.Actor != "ops:meera" || last.Detail != "by 1.5 until "+until {
			t.Errorf("got the trail %+v, %v", trail, err)
		}
		past := b.now().Add(-time.Hour).UTC().Format(time.RFC3339)
		for _, c := range []struct {
			name, body string
			status     int
			code       string
		}{
			{"none", `{"credits":"1","until":"` + until + `"}`, 404, "no_such_budget"},
			{"watch", `{"credits":"1","until":"` + past + `"}`, 422, "invalid_until"},
			{"watch", `{"credits":"1"}`, 422, "invalid_until"},
			{"watch", `{"credits":"1","until":"tomorrow"}`, 422, "invalid_until"},
			{"watch", `{"credits":"1","until":"9999-01-01T00:00:00Z"}`, 422, "invalid_until"},
			{"watch", `{"until":"` + until + `"}`, 422, "invalid_credits"},
			{"watch", `{"credits":5,"until":"` + until + `"}`, 422, "invalid_credits"},
			{"watch", `{"credits":"-1","until":"` + until + `"}`, 422, "invalid_credits"},
			{"watch", `{"credits":"1","until":"` + until + `","subject":"app:asha"}`, 422, "invalid_subject"},
			{"user-day", `{"credits":"1","until":"` + until + `"}`, 422, "invalid_subject"},
			{"user-day", `{"credits":"1","until":"` + until + `","subject":"nobody"}`, 422, "invalid_subject"},
			{"user-day", `{"credits":"1","until":"` + until + `","subject":"other:1"}`, 422, "invalid_subject"},
			{"user-day", `{"credits":"1","until":"` + until + `","subject":"app:1","app":"app"}`, 422, "invalid_app"},
			{"apps", `{"credits":"1","until":"` + until + `"}`, 422, "invalid_app"},
			{"apps", `{"credits":"1","until":"` + until + `","app":"other"}`, 422, "invalid_app"},
			{"shop", `{"credits":"1","until":"` + until + `","app":"app"}`, 422, "invalid_app"},
			{"watch", `{"credit":"1"}`, 400, "invalid_json"},
		} {
			raise(c.name, c.body).failed(t, c.name+" "+c.body, c.status, c.code)
		}
	})
}

func TestOperatorComparesADayWithTheVendor(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		b.parse(t, "app:asha", credit.One)
		b.parse(t, "app:asha", credit.One)
		day := begin.UTC().Format(time.DateOnly)
		b.passed.Store(int64(24 * time.Hour))
		type comparison struct {
			Day      time.Time
			Features []struct {
				Feature, Credits string
				Calls            int
				VendorCalls      int    `json:"vendor_calls"`
				VendorCredits    string `json:"vendor_credits"`
				Differs          bool
			}
		}
		for _, body := range []string{"", `{"day":"` + day + `"}`} {
			var got comparison
			b.post(t, "/usage/compare", body, &got)
			if got.Day.Format(time.DateOnly) != day || len(got.Features) != 2 || !got.Features[0].Differs {
				t.Fatalf("%s: got %+v", body, got)
			}
			if f := got.Features[1]; f.Feature != "smart_parser" || f.Calls != 2 || f.VendorCalls != 3 || f.Credits != "2" || f.VendorCredits != "2" || !f.Differs {
				t.Errorf("%s: got %+v", body, f)
			}
		}
		if !strings.Contains(b.log.String(), "the vendor's usage differs") {
			t.Errorf("got the log %s", b.log.String())
		}
		var list struct{ Comparisons []comparison }
		if b.get(t, "/usage/comparisons", &list); len(list.Comparisons) != 1 || len(list.Comparisons[0].Features) != 2 {
			t.Errorf("got %+v, want one comparison", list)
		}
		for _, body := range []string{`{"day":"` + b.now().UTC().Format(time.DateOnly) + `"}`, `{"day":"2020-01-01"}`, `{"day":"x"}`} {
			b.call(t, "meera", http.MethodPost, "/admin/v1/usage/compare", body).failed(t, body, 422, "invalid_day")
		}
		b.call(t, "meera", http.MethodGet, "/admin/v1/usage/comparisons?limit=61", "").failed(t, "61 days", 400, "invalid_limit")
	})
}
