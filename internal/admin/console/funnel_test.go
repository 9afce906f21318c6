package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/gateway"
)

// call records a parse call with the token of a grant, which ended a second later.
func (o *testConsole) call(grantID, callID string, r budget.Result) {
	o.t.Helper()
	at := o.clock.Now()
	c := budget.Call{ID: callID, Subject: "app:asha", GrantID: grantID, RequestID: "req_" + callID, Feature: "smart_parser", StartedAt: at, Reserved: credit.One}
	if _, err := o.db.BeginCall(o.t.Context(), c, nil, nil); err != nil {
		o.t.Fatal(err)
	}
	if _, _, err := o.db.EndCall(o.t.Context(), callID, r, at.Add(time.Second)); err != nil {
		o.t.Fatal(err)
	}
}

func TestGrantPageShowsHowFarTheImportCame(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	direct := o.give("app:asha", time.Minute)
	expect(t, b.get("/console/grants/"+direct), http.StatusOK, "How far the import came", "with a direct token", `class="reached" data-testid="stage-issued"`,
		`class="stopped" data-testid="stage-opened"`)

	grant := o.giveGateway("app:asha")
	expect(t, b.get("/console/grants/"+grant), http.StatusOK, "No call was made with this token yet.")
	o.call(grant, "gc_1", budget.Result{Outcome: gateway.OutcomeError, Reason: "INVALID_PASSWORD", Delivery: budget.Answered})
	page := b.get("/console/grants/" + grant)
	expect(t, page, http.StatusOK, `class="reached" data-testid="stage-uploaded"`, `class="stopped" data-testid="stage-parsed"`, `class="open" data-testid="stage-saved"`,
		"The vendor reported an error. <code>INVALID_PASSWORD</code>", "req_gc_1", "smart_parser", `class="number">1.0<`, `class="number">0<`)
	if n := strings.Count(page.body, `data-testid="call"`); n != 1 {
		t.Errorf("got %d calls, want 1", n)
	}
	o.call(grant, "gc_2", budget.Result{Outcome: gateway.OutcomeOK, Delivery: budget.Answered, Used: credit.One})
	expect(t, b.get("/console/grants/"+grant), http.StatusOK, `class="stopped" data-testid="stage-saved"`, "has not saved the statement")
	b.post("/console/grants/" + grant + "/revoke")
	expect(t, b.get("/console/grants/"+grant), http.StatusOK, "revoked by an operator")
}

func TestEachOutcomeOfACallHasALabel(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	for i, outcome := range []string{
		gateway.OutcomeOK, gateway.OutcomeError, gateway.OutcomeRefused, gateway.OutcomeCredential, gateway.OutcomeCredits,
		gateway.OutcomeBadAnswer, gateway.OutcomeUnreachable, gateway.OutcomeTimeout, gateway.OutcomeAborted, budget.OutcomeUnknown,
	} {
		grant := o.giveGateway("app:asha")
		o.call(grant, "gc_"+string(rune('a'+i)), budget.Result{Outcome: outcome, Delivery: budget.Answered})
		if page := b.get("/console/grants/" + grant); strings.Contains(page.body, ">"+outcome+"<") {
			t.Errorf("%s has no label", outcome)
		}
	}
}
