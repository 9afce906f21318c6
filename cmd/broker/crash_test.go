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
)

const (
	crashes = 20
	savers  = 8
)

// sent is a statement that somebody tried to save.
type sent struct {
	payload []byte
	rows    int
	id      string // once it was acknowledged
}

// saver is a user who saves one statement after another.
type saver struct {
	jwt  string
	sent []*sent
}

// TestWhatWasAcknowledgedSurvivesBeingKilled kills the broker at random moments
// while statements are saved, and looks after each restart whether each one that
// was acknowledged is there once and whole.
func TestWhatWasAcknowledgedSurvivesBeingKilled(t *testing.T) {
	t.Parallel()
	p := build(t)
	users := make([]*saver, savers)
	for i := range users {
		users[i] = &saver{jwt: token(t, fmt.Sprint("user-", i))}
	}
	acknowledged := 0
	for round := range crashes {
		p.start()
		checked := users[round%savers]
		checked.wantAll(p)
		acknowledged += p.saveUntilKilled(users, round)
	}
	p.start()
	for _, u := range users {
		u.wantAll(p)
		u.wantOnce(p)
	}
	if acknowledged < crashes {
		t.Errorf("only %d statements were acknowledged, too few to tell anything", acknowledged)
	}
	t.Logf("killed %d times; all of %d acknowledged statements are there", crashes, acknowledged)
}

// saveUntilKilled has all users save until the broker was killed, which happens some
// time after the first was acknowledged. It returns how many were.
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
				r, err := p.call(p.t.Context(), u.jwt, http.MethodPost, "/v1/portfolios", s.payload)
				if err != nil {
					return
				}
				if r.status != http.StatusCreated {
					p.t.Errorf("answered %d: %s", r.status, r.body)
					return
				}
				var saved struct {
					ID string `json:"id"`
				}
				if err := json.Unmarshal(r.body, &saved); err != nil {
					p.t.Error(err)
				}
				s.id = saved.ID
				once.Do(func() { close(first) })
			}
		})
	}
	select {
	case <-first:
	case <-time.After(30 * time.Second):
		p.t.Error("nothing was acknowledged")
	}
	<-time.After(rand.N(150 * time.Millisecond)) //nolint:gosec // any moment will do
	p.kill()
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

// statementOf is a statement with as many rows, each with a transaction.
func statementOf(name string, rows int) *sent {
	row := fmt.Sprintf(`{"name":%q,"units":1.5,"nav":2,"value":3,"transactions":[{"date":"2026-01-05","type":"PURCHASE","units":1.5,"balance":1.5}]}`, name)
	list := strings.Repeat(row+",", rows-1) + row
	return &sent{rows: rows, payload: []byte(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[{"folio_number":"1/2","schemes":[` + list + `]}]}`)}
}

// wantAll fails the test unless everything acknowledged to u is there and whole.
func (u *saver) wantAll(p *program) {
	p.t.Helper()
	for _, s := range u.sent {
		if s.id == "" {
			continue
		}
		var read struct {
			Rows         []any `json:"rows"`
			Transactions int   `json:"transactions"`
		}
		p.must(u.jwt, http.MethodGet, "/v1/portfolios/"+s.id, nil, http.StatusOK, &read)
		if len(read.Rows) != s.rows || read.Transactions != s.rows {
			p.t.Errorf("%s: %d rows and %d transactions, want %d each", s.id, len(read.Rows), read.Transactions, s.rows)
		}
		raw, err := p.call(p.t.Context(), u.jwt, http.MethodGet, "/v1/portfolios/"+s.id+"/raw", nil)
		if err != nil || string(raw.body) != string(s.payload) {
			p.t.Errorf("%s: %v, %.100s", s.id, err, raw.body)
		}
	}
}

// wantOnce fails the test unless what u saved is there once: saving it again gives
// what is there, and nothing else is there.
func (u *saver) wantOnce(p *program) {
	p.t.Helper()
	ids := map[string]bool{}
	for _, s := range u.sent {
		r, err := p.call(p.t.Context(), u.jwt, http.MethodPost, "/v1/portfolios", s.payload)
		var saved struct {
			ID string `json:"id"`
		}
		if err != nil || json.Unmarshal(r.body, &saved) != nil || s.id != "" && (r.status != http.StatusOK || saved.ID != s.id) {
			p.t.Fatalf("saved again: %v, %d %s, want %s", err, r.status, r.body, s.id)
		}
		ids[saved.ID] = true
	}
	there := 0
	for path := "/v1/portfolios?limit=100"; path != ""; {
		var page struct {
			Portfolios []struct{} `json:"portfolios"`
			NextCursor *string    `json:"next_cursor"`
		}
		p.must(u.jwt, http.MethodGet, path, nil, http.StatusOK, &page)
		there += len(page.Portfolios)
		if path = ""; page.NextCursor != nil {
			path = "/v1/portfolios?limit=100&cursor=" + *page.NextCursor
		}
	}
	if len(ids) != len(u.sent) || there != len(u.sent) {
		p.t.Errorf("%d statements have %d ids, and %d portfolios are there", len(u.sent), len(ids), there)
	}
}
