package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
)

var testBudgets = []budget.Budget{
	{Name: "user-day", Scope: budget.User, Period: budget.Day, Credits: 2 * credit.One},
	{Name: "apps", Scope: budget.App, Period: budget.Month, Credits: 100 * credit.One},
	{Name: "watch", Scope: budget.All, Period: budget.Month, Credits: 5 * credit.One, Soft: true},
	{Name: "all-day", Scope: budget.All, Period: budget.Day, Credits: 4 * credit.One, Soft: true},
}

// spend records a call of subject that costs used.
func (o *testConsole) spend(subject, feature string, used credit.Amount) {
	o.t.Helper()
	ledger := o.admin.Budgets.Ledger
	id, err := ledger.Begin(o.t.Context(), budget.Call{Subject: subject, Feature: feature, Reserved: credit.One})
	if err != nil {
		o.t.Fatal(err)
	}
	r := budget.Result{Outcome: budget.OutcomeOK, KeyName: "main", Delivery: budget.Answered, Used: used}
	if err := ledger.End(o.t.Context(), id, r); err != nil {
		o.t.Fatal(err)
	}
}

func TestUsageShowsCostsBudgetsAndDifferences(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	expect(t, b.get("/console/usage"), http.StatusOK, `data-testid="cost">0<`, "No data for this period", "No day was compared yet", ">none<")
	o.clock.advance(-24 * time.Hour)
	o.spend("app:asha", "smart_parser", credit.One)
	o.clock.advance(24 * time.Hour)
	for range 2 {
		o.spend("app:<b>", "smart_parser", credit.One)
	}
	o.spend("app:asha", "inbox_pull", 200)
	day := budget.Day.Start(begin).AddDate(0, 0, -1)
	features := []budget.FeatureComparison{
		{Calls: 1, Credits: credit.One, UnsureCalls: 1, UnsureCredits: credit.One, VendorCalls: 3, VendorCredits: 3 * credit.One, Differs: true},
		{Feature: "smart_parser", Calls: 1, Credits: credit.One, UnsureCalls: 1, UnsureCredits: credit.One, VendorCalls: 3, VendorCredits: 3 * credit.One, Differs: true},
	}
	if err := o.db.SaveComparison(t.Context(), budget.Comparison{Day: day, At: begin, Features: features}); err != nil {
		t.Fatal(err)
	}
	page := b.get("/console/usage")
	expect(t, page, http.StatusOK,
		`data-testid="cost">3.2<`, `data-testid="calls">4<`, "2026-04-01 UTC\nsmart_parser: 2\ninbox_pull: 0.2", "2026-03-31 UTC\nsmart_parser: 1",
		"2 of 2 at most; 1 of 2 used up", "2.2 of 100 at most; 0 of 1 used up", "2.2 of 5", `aria-label="user-day: 100 percent used, 43 percent of the day over"`, `class="bad" width="1000"`, `<path class="limit"`, "budget all-day", "soft: only reported",
		"app:&lt;b&gt;", "<strong>differs</strong>", "<code>smart_parser</code>: 1 to 2 calls, the vendor has 3; 1 to 2 credits, the vendor has 3",
		"2026-03-31", `aria-label="Raise user-day"`)
	if users := strings.Index(page.body, "Costliest users"); strings.Index(page.body[users:], "app:&lt;b&gt;") > strings.Index(page.body[users:], "app:asha") {
		t.Error("the costliest user is not the first")
	}
	expect(t, b.get("/console/usage?range=week"), http.StatusOK, "7 days", `data-testid="cost">3.2<`)
	trail := b.get("/console/audit?action=admin.read")
	expect(t, trail, http.StatusOK, "usage")
}

func TestBudgetIsRaisedInTheConsole(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	const path = "/console/budgets/user-day/raise"
	expect(t, b.get(path), http.StatusOK, `name="subject"`, `value="2026-04-02T10:30"`, "allows 2 credits a day")
	expect(t, b.get("/console/budgets/apps/raise"), http.StatusOK, `<option>shop</option>`)
	if form := b.get("/console/budgets/watch/raise"); strings.Contains(form.body, `name="subject"`) || strings.Contains(form.body, `name="app"`) {
		t.Error("the budget of all asks for a user or an app")
	}
	expect(t, b.get("/console/budgets/none/raise"), http.StatusNotFound, "no budget with this name")
	for _, c := range []struct{ subject, credits, until, says, field string }{
		{"app:asha", "x", "2026-04-02T10:30", "a number above 0", "credits"},
		{"app:asha", "0", "2026-04-02T10:30", "a number above 0", "credits"},
		{"app:asha", "1", "2026-03-02T10:30", "in the future", "until"},
		{"app:asha", "1", "soon", "in UTC", "until"},
		{"asha", "1", "2026-04-02T10:30", "A user id is", "subject"},
		{"", "1", "2026-04-02T10:30", "A user id is", "subject"},
	} {
		a := b.post(path, "subject", c.subject, "credits", c.credits, "until", c.until)
		if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
			t.Errorf("%+v: got %d", c, a.status)
		}
		expect(t, a, a.status, c.says, `value="`+c.credits+`"`)
		_, field, _ := strings.Cut(a.body, `name="`+c.field+`"`)
		if field, _, _ = strings.Cut(field, ">"); !strings.Contains(field, "aria-invalid") {
			t.Errorf("%+v: the field %s is not marked", c, c.field)
		}
	}
	if a := b.post(path, "subject", "app:asha", "credits", "1.5", "until", "2026-04-02T10:30"); a.status != http.StatusSeeOther || a.to() != "/console/usage" {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	expect(t, b.get("/console/usage"), http.StatusOK, "The budget is raised", "Raises in force", "app:asha", ">1.5<", "admin/meera")
	expect(t, b.get("/console/audit?action=budget.raise"), http.StatusOK, "Budget raised", "by 1.5 until 2026-04-02T10:30:00Z")
	for range 3 {
		o.spend("app:asha", "smart_parser", credit.One)
	}
}
