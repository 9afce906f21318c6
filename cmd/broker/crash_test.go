package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
)

const (
	crashes = 20
	savers  = 8
)

// sent is a statement that a user tried to save.
type sent struct {
	payload []byte
	rows    int
	id      string // set once the broker acknowledged it
}

// saver is a user who saves one statement after another.
type saver struct {
	jwt  string
	sent []*sent
}

// TestAcknowledgedStatementsSurviveAKill kills the broker at random times while statements
// are saved, and checks after each restart that every acknowledged one was saved completely
// and once.
func TestAcknowledgedStatementsSurviveAKill(t *testing.T) {
	t.Parallel()
	p := build(t)
	users := make([]*saver, savers)
	for i := range users {
		users[i] = &saver{jwt: brokertest.Token(t, fmt.Sprint("user-", i))}
	}
	acknowledged := 0
	for round := range crashes {
		p.Start()
		checked := users[round%savers]
		checked.wantAll(p)
		acknowledged += p.saveUntilKilled(users, round)
	}
	p.Start()
	for _, u := range users {
		u.wantAll(p)
		u.wantOnce(p)
	}
	if acknowledged < crashes {
		t.Errorf("got %d acknowledged statements, want at least %d for a meaningful test", acknowledged, crashes)
	}
	t.Logf("killed %d times; all %d acknowledged statements were found", crashes, acknowledged)
}

// saveUntilKilled lets all users save until the broker is killed, up to 150 ms after the
// first acknowledgement. It returns the number of acknowledged statements.
func (p *program) saveUntilKilled(users []*saver, round int) int {
	first := make(chan struct{})
	var once sync.Once
	var all sync.WaitGroup
	before := acknowledged(users)
	for i, u := range users {
		all.Go(func() {
			for n := 0; ; n++ {
				s := statementOf(fmt.Sprintf("%d of round %d by %d", n, round, i), 1+n%40)
				u.sent = append(u.sent, s)
				r, err := p.Call(p.T.Context(), u.jwt, http.MethodPost, "/v1/portfolios", s.payload)
				if err != nil {
					return
				}
				if r.Status != http.StatusCreated {
					p.T.Errorf("got %d: %s, want 201", r.Status, r.Body)
					return
				}
				var saved struct {
					ID string `json:"id"`
				}
				if err := json.Unmarshal(r.Body, &saved); err != nil {
					p.T.Error(err)
				}
				s.id = saved.ID
				once.Do(func() { close(first) })
			}
		})
	}
	select {
	case <-first:
	case <-time.After(30 * time.Second):
		p.T.Error("no statement was acknowledged within 30 s")
	}
	<-time.After(rand.N(150 * time.Millisecond)) //nolint:gosec // not a secret
	p.Kill()
	all.Wait()
	return acknowledged(users) - before
}

func acknowledged(users []*saver) (n int) {
	for _, u := range users {
		for _, s := range u.sent {
			if s.id != "" {
				n++
			}
		}
	}
	return n
}

// statementOf returns a statement with the given number of rows, each with a transaction.
func statementOf(name string, rows int) *sent {
	row := fmt.Sprintf(`{"name":%q,"units":1.5,"nav":2,"value":3,"transactions":[{"date":"2026-01-05","type":"PURCHASE","units":1.5,"balance":1.5}]}`, name)
	list := strings.Repeat(row+",", rows-1) + row
	return &sent{rows: rows, payload: []byte(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[{"folio_number":"1/2","schemes":[` + list + `]}]}`)}
}

// wantAll fails the test unless every acknowledged statement of u was saved completely.
func (u *saver) wantAll(p *program) {
	p.T.Helper()
	for _, s := range u.sent {
		if s.id == "" {
			continue
		}
		var read struct {
			Rows         []any `json:"rows"`
			Transactions int   `json:"transactions"`
		}
		p.Must(u.jwt, http.MethodGet, "/v1/portfolios/"+s.id, nil, http.StatusOK, &read)
		if len(read.Rows) != s.rows || read.Transactions != s.rows {
			p.T.Errorf("%s: got %d rows and %d transactions, want %d each", s.id, len(read.Rows), read.Transactions, s.rows)
		}
		raw, err := p.Call(p.T.Context(), u.jwt, http.MethodGet, "/v1/portfolios/"+s.id+"/raw", nil)
		if err != nil || string(raw.Body) != string(s.payload) {
			p.T.Errorf("%s: got %v, %.100s, want the payload as sent", s.id, err, raw.Body)
		}
	}
}

// wantOnce fails the test unless every statement of u was saved exactly once: saving it again
// returns the same id, and there are no other portfolios.
func (u *saver) wantOnce(p *program) {
	p.T.Helper()
	ids := map[string]bool{}
	for _, s := range u.sent {
		r, err := p.Call(p.T.Context(), u.jwt, http.MethodPost, "/v1/portfolios", s.payload)
		var saved struct {
			ID string `json:"id"`
		}
		if err != nil || json.Unmarshal(r.Body, &saved) != nil || s.id != "" && (r.Status != http.StatusOK || saved.ID != s.id) {
			p.T.Fatalf("saving again: got %v, %d %s, want %s", err, r.Status, r.Body, s.id)
		}
		ids[saved.ID] = true
	}
	found := 0
	for path := "/v1/portfolios?limit=100"; path != ""; {
		var page struct {
			Portfolios []struct{} `json:"portfolios"`
			NextCursor *string    `json:"next_cursor"`
		}
		p.Must(u.jwt, http.MethodGet, path, nil, http.StatusOK, &page)
		found += len(page.Portfolios)
		if path = ""; page.NextCursor != nil {
			path = "/v1/portfolios?limit=100&cursor=" + *page.NextCursor
		}
	}
	if len(ids) != len(u.sent) || found != len(u.sent) {
		p.T.Errorf("%d statements: got %d ids and %d portfolios, want as many", len(u.sent), len(ids), found)
	}
}
