package token_test

import (
	"testing"
	"time"

	"casbroker/internal/token"
)

func TestStageIsHowFarTheImportCame(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
	parse := func(outcome string, sent bool, portfolioID string) token.Call {
		c := token.Call{ID: "gc_1", Feature: "smart_parser", StartedAt: at, Sent: sent, Outcome: outcome, PortfolioID: portfolioID}
		if outcome != "" {
			c.EndedAt = at.Add(time.Second)
		}
		return c
	}
	fetch := token.Call{ID: "gc_2", Feature: "cdsl_cas_fetch", StartedAt: at, EndedAt: at, Sent: true, Outcome: "timeout"}
	note := token.Call{ID: "gc_3", Feature: "contract_note_parser", StartedAt: at, EndedAt: at, Sent: true, Outcome: "ok"}
	for name, c := range map[string]struct {
		calls   []token.Call
		stage   token.Stage
		stopped string // the outcome of the call
	}{
		"no call":                      {nil, token.StageIssued, ""},
		"a failed fetch":               {[]token.Call{fetch}, token.StageOpened, "timeout"},
		"a contract note":              {[]token.Call{note}, token.StageOpened, ""},
		"a parse that is not sent":     {[]token.Call{parse("refused", false, "")}, token.StageOpened, "refused"},
		"a parse in progress":          {[]token.Call{parse("", false, "")}, token.StageOpened, ""},
		"a wrong password":             {[]token.Call{fetch, parse("vendor_error", true, "")}, token.StageUploaded, "vendor_error"},
		"a wrong password, then right": {[]token.Call{parse("vendor_error", true, ""), parse("ok", true, "")}, token.StageParsed, ""},
		"saved":                        {[]token.Call{parse("ok", true, "pf_1"), parse("vendor_error", true, "")}, token.StageSaved, ""},
	} {
		s := token.Session{GrantInfo: token.GrantInfo{Grant: token.Grant{IssuedAt: at.Add(-time.Minute)}}, Calls: c.calls}
		failed, stopped := s.Stopped()
		if s.Stage() != c.stage || failed.Outcome != c.stopped || stopped != (c.stopped != "") {
			t.Errorf("%s: got %s, stopped by %q; want %s, %q", name, s.Stage(), failed.Outcome, c.stage, c.stopped)
		}
		reached := s.Reached()
		if got := token.Stages()[len(reached)-1]; got != c.stage || !reached[0].Equal(at.Add(-time.Minute)) {
			t.Errorf("%s: got %v", name, reached)
		}
	}
}
