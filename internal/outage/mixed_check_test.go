package outage

import (
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"casbroker/internal/testkit/storetest"
)

// check fails the test unless everything that was acknowledged is there, once. All replicas must
// be ready, and the load must have ended.
func (m *mixed) check() {
	m.t.Helper()
	records := m.records()
	var all sync.WaitGroup
	for _, u := range m.users {
		all.Go(func() { u.check(m, records) })
	}
	for _, b := range m.blocked {
		all.Go(func() { b.check(m, records) })
	}
	all.Wait()
	m.checkEvents()
	m.checkSpend()
	m.verifyTrail()
}

// records counts the audit records that are not about a repetition, by action and what it was done to.
func (m *mixed) records() map[string]int {
	counts := map[string]int{}
	for path := "/admin/v1/audit?limit=1000"; path != ""; {
		var page struct {
			Records []struct{ Action, Subject, Object, Detail string }
			Next    *string `json:"next_cursor"`
		}
		m.decode(m.until(m.admin, http.MethodGet, path, nil, http.StatusOK), &page)
		for _, r := range page.Records {
			if r.Detail != "already" {
				counts[strings.TrimSpace(r.Action+" "+r.Subject+" "+r.Object)]++
			}
		}
		if path = ""; page.Next != nil {
			path = "/admin/v1/audit?limit=1000&cursor=" + *page.Next
		}
	}
	return counts
}

func (u *mixedUser) check(m *mixed, records map[string]int) {
	wantRecord := func(action, object string) {
		if n := records[action+" app:"+u.name+" "+object]; n != 1 {
			m.errorf("%s of %s: got %d audit records, want 1", action, object, n)
		}
	}
	portfolios := u.portfolios(m)
	for _, s := range u.saves {
		if portfolios[s.id] != 1 {
			m.errorf("portfolio %q of %s is listed %d times, want once", s.id, u.name, portfolios[s.id])
			continue
		}
		wantRecord("portfolio.save", s.id)
		u.checkSaved(m, s)
	}
	document := u.checkUploads(m, portfolios)
	if document != "" {
		wantRecord("portfolio.save", document)
	}
	for grant := range u.grants {
		wantRecord("token.mint", grant)
	}
	for _, r := range u.revoked {
		wantRecord("token.revoke", r.grant)
		for _, replica := range m.d.replicas {
			eventually(m.t, "a token that was revoked is not valid", func() bool {
				valid, ok := m.verify(replica, r.token)
				return ok && !valid
			})
		}
	}
	least, most := len(u.saves), len(u.saves)+1 // the gateway may have seen the document, too
	if document != "" {
		least = most
	}
	if n := len(portfolios); n < least || n > most {
		m.errorf("%s has %d portfolios, has saved %d, and has uploaded %q", u.name, n, len(u.saves), document)
	}
}

// checkUploads sends the uploaded document again with each of its keys, and returns its portfolio,
// which must be listed once. It returns "" if none was acknowledged.
func (u *mixedUser) checkUploads(m *mixed, portfolios map[string]int) (document string) {
	for _, s := range u.uploads {
		if document == "" {
			document = s.id
		}
		if s.id != document || portfolios[s.id] != 1 {
			m.errorf("upload %s of %s is portfolio %q, listed %d times, want %q once", s.key, u.name, s.id, portfolios[s.id], document)
		}
		again := u.sendDocument(m, s.key)
		if !same(again, s.reply) || again.Header.Get("Idempotency-Replayed") != "true" {
			m.errorf("%s %s: got %d %s again, want %d %s", u.name, s.key, again.Status, again.Body, s.reply.Status, s.reply.Body)
		}
	}
	return document
}

// checkSaved saves the statement again with its key, and reads it.
func (u *mixedUser) checkSaved(m *mixed, s *saved) {
	again := m.until(u.jwt, http.MethodPost, "/v1/portfolios", s.payload, http.StatusCreated, "Idempotency-Key", s.key)
	if !same(again, s.reply) || again.Header.Get("Idempotency-Replayed") != "true" {
		m.errorf("%s %s: got %d %s again, want %d %s", u.name, s.key, again.Status, again.Body, s.reply.Status, s.reply.Body)
	}
	var read struct {
		Rows         []any
		Transactions int
	}
	m.decode(m.until(u.jwt, http.MethodGet, "/v1/portfolios/"+s.id, nil, http.StatusOK), &read)
	if len(read.Rows) != s.rows || read.Transactions != s.rows {
		m.errorf("%s: got %d rows and %d transactions, want %d each", s.id, len(read.Rows), read.Transactions, s.rows)
	}
	if raw := m.until(u.jwt, http.MethodGet, "/v1/portfolios/"+s.id+"/raw", nil, http.StatusOK); string(raw.Body) != string(s.payload) {
		m.errorf("%s: got %.100s, want the payload as sent", s.id, raw.Body)
	}
}

// portfolios returns how often each portfolio of u is listed.
func (u *mixedUser) portfolios(m *mixed) map[string]int {
	found := map[string]int{}
	for path := "/v1/portfolios?limit=100"; path != ""; {
		var page struct {
			Portfolios []struct{ ID string }
			Next       *string `json:"next_cursor"`
		}
		m.decode(m.until(u.jwt, http.MethodGet, path, nil, http.StatusOK), &page)
		for _, p := range page.Portfolios {
			found[p.ID]++
		}
		if path = ""; page.Next != nil {
			path = "/v1/portfolios?limit=100&cursor=" + *page.Next
		}
	}
	return found
}

// check compares the state of b on each replica, and its audit records, with what was acknowledged.
func (b *blockedUser) check(m *mixed, records map[string]int) {
	want := http.StatusOK
	if b.blocks > b.unblocks {
		want = http.StatusForbidden
	}
	for _, r := range m.d.replicas {
		eventually(m.t, fmt.Sprintf("%s, blocked %d times and unblocked %d, gets %d", b.name, b.blocks, b.unblocks, want), func() bool {
			reply, err := r.Call(m.t.Context(), b.jwt, http.MethodPost, "/v1/token", nil)
			return err == nil && reply.Status == want
		})
	}
	for action, n := range map[string]int{"access.block": b.blocks, "access.unblock": b.unblocks} {
		if got := records[action+" app:"+b.name]; got != n {
			m.errorf("%s of %s: got %d audit records, want %d", action, b.name, got, n)
		}
	}
}

// checkEvents reads all events again, until those of what was acknowledged have come, and compares
// them with the ones that were read under load.
func (m *mixed) checkEvents() {
	want := m.wantedEvents()
	counts := map[string]int{}
	var all eventPage
	eventually(m.t, "the events of all changes come", func() bool {
		var p eventPage
		m.decode(m.until(m.back, http.MethodGet, "/v1/events?limit=500&after="+all.NextAfter, nil, http.StatusOK), &p)
		all.Events, all.NextAfter = append(all.Events, p.Events...), p.NextAfter
		for _, e := range p.Events {
			counts[strings.TrimSpace(e.Type+" "+e.Data.Subject+" "+e.Data.PortfolioID+e.Data.GrantID)]++
		}
		for event, n := range want {
			if counts[event] < n {
				return false
			}
		}
		return len(p.Events) == 0
	})
	for event, n := range want {
		if counts[event] != n {
			m.errorf("got %d events %s, want %d", counts[event], event, n)
		}
	}
	for i, e := range m.events.Events {
		if i >= len(all.Events) || e.ID != all.Events[i].ID {
			m.errorf("event %d was %s under load, and is not any more", i, e.ID)
			return
		}
	}
}

// wantedEvents returns the number of events of each change that was acknowledged.
func (m *mixed) wantedEvents() map[string]int {
	want := map[string]int{}
	for _, u := range m.users {
		for _, s := range u.saves {
			want["portfolio.saved app:"+u.name+" "+s.id]++
		}
		if len(u.uploads) > 0 {
			want["portfolio.saved app:"+u.name+" "+u.uploads[0].id]++
		}
		for _, r := range u.revoked {
			want["token.revoked app:"+u.name+" "+r.grant]++
		}
	}
	for _, b := range m.blocked {
		want["user.blocked app:"+b.name] = b.blocks
	}
	return want
}

// checkSpend compares the calls that cost credits with what the vendor has got. A call whose
// replica was killed is open until its lease ends, and counts with its price.
func (m *mixed) checkSpend() {
	var ended, used float64
	for _, u := range m.users {
		var usage struct {
			Total   struct{ Credits string }
			Budgets []struct{ Used string }
		}
		m.decode(m.until(u.jwt, http.MethodGet, "/v1/usage", nil, http.StatusOK), &usage)
		own := amount(usage.Total.Credits)
		if len(usage.Budgets) != 1 {
			m.t.Fatalf("got %+v, want one budget", usage)
		}
		reserved := amount(usage.Budgets[0].Used)
		if reserved < float64(u.parses) || reserved < own {
			m.errorf("%s: got %v credits in the budget and %v of ended calls, of %d parses", u.name, reserved, own, u.parses)
		}
		ended, used = ended+own, used+reserved
	}
	open := 0
	if err := storetest.SQL(m.t, m.d.database).QueryRowContext(m.t.Context(), `SELECT COUNT(*) FROM gateway_calls WHERE ended_ms = 0`).Scan(&open); err != nil {
		m.t.Error(err)
	}
	vendor := float64(m.d.vendor.Calls("/v4/smart/parse"))
	if used != ended+float64(open) || vendor < ended || vendor > used {
		m.errorf("got %v credits of ended calls and %d open ones, %v in the budgets; the vendor got %v calls", ended, open, used, vendor)
	}
	m.t.Logf("credits: %v in the budgets, %d of them of open calls; the vendor got %v calls", used, open, vendor)
}

// amount parses a number of credits.
func amount(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("%q is not a number of credits", text))
	}
	return f
}

// verifyTrail runs broker audit verify.
func (m *mixed) verifyTrail() {
	r := m.d.replicas[0]
	cmd := exec.CommandContext(m.t.Context(), r.Path, "audit", "verify") //nolint:gosec // our own program
	cmd.Env = append(r.Settings(), r.Extra...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "are intact") {
		m.errorf("broker audit verify: got %v, %s", err, out)
	}
	m.t.Logf("broker audit verify: %s", strings.TrimSpace(string(out)))
}
