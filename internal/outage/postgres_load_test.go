package outage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
)

// observed is users of one broker who call all the time, each in one way: callers of tokens that are
// cached, of new ones, of the gateway, savers, readers, and users who revoke their tokens.
type observed struct {
	t      *testing.T
	broker *brokertest.Program
	load   *load

	mu      sync.Mutex
	answers map[string]*answers // by the way of calling
	savers  []*statements
	revoked []revokedGrant
	longest time.Duration
	slowest string
}

// The ways of calling.
const (
	askCached   = "cached token"
	askNew      = "new token"
	askGateway  = "gateway token"
	callGateway = "call of the gateway"
	save        = "save"
	read        = "read"
	revoke      = "revocation"
)

// answers counts those to one way of calling since the last mark, and says when they came.
type answers struct {
	given, refused          int
	lastGiven, firstRefused time.Time
	codes                   map[string]int
}

// statements are those that one user has sent.
type statements struct {
	jwt  string
	sent []sentStatement
}

type sentStatement struct {
	key     string
	payload []byte
	id      string // set once the broker acknowledged it
}

type revokedGrant struct{ jwt, grant string }

// startObserved starts the load on broker, whose token.mode must be both, and returns once each way of
// calling has succeeded.
func startObserved(t *testing.T, broker *brokertest.Program) *observed {
	t.Helper()
	m := &observed{t: t, broker: broker, answers: map[string]*answers{}}
	gateway := m.gatewayUser()
	callers := []func(ctx context.Context, n int){
		m.tokens(askCached, "asha", nil), m.tokens(askCached, "rohan", nil), m.tokens(askGateway, "meera", []byte(`{"mode":"gateway"}`)),
		m.newTokens, gateway, m.saver(0), m.saver(1), m.reader("asha"), m.revoker("kabir"),
	}
	m.mark()
	m.load = under(t, len(callers), func(ctx context.Context, caller, n int) {
		callers[caller](context.WithoutCancel(ctx), n)
		select {
		case <-ctx.Done():
		case <-time.After(either(40*time.Millisecond, 10*time.Millisecond)): // the machine has other tests
		}
	})
	for _, way := range []string{askCached, askNew, askGateway, callGateway, save, read, revoke} {
		m.wait(way+" succeeds", func(a map[string]*answers) bool { return a[way].given > 0 })
	}
	m.mark()
	return m
}

// mark begins to count again.
func (m *observed) mark() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, way := range []string{askCached, askNew, askGateway, callGateway, save, read, revoke} {
		m.answers[way] = &answers{codes: map[string]int{}}
	}
	m.longest, m.slowest = 0, ""
}

// wait returns once the answers since the last mark are as done wants them.
func (m *observed) wait(what string, done func(a map[string]*answers) bool) {
	m.t.Helper()
	eventually(m.t, what, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return done(m.answers)
	})
}

// call makes one call in the given way and counts its answer, which must be a success, or 503 with a
// Retry-After and without a word about servers. It decodes a success into v.
func (m *observed) call(ctx context.Context, way, jwt, method, path string, body []byte, v any, header ...string) bool {
	began := time.Now()
	r, err := m.send(ctx, jwt, method, path, body, header...)
	now := time.Now()
	if err != nil {
		m.t.Errorf("%s: %v", way, err)
		return false
	}
	given := r.Status == http.StatusOK || r.Status == http.StatusCreated
	var problem struct {
		Code string `json:"code"`
	}
	switch text := string(r.Body); {
	case given && v != nil:
		if err := json.Unmarshal(r.Body, v); err != nil {
			m.t.Errorf("%s: %v in %s", way, err, text)
		}
	case given:
	case json.Unmarshal(r.Body, &problem) != nil || r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "",
		strings.Contains(text, "atabase"), strings.Contains(text, "ostgres"), strings.Contains(text, "SQL"):
		m.t.Errorf("%s: got %d %v %s, want 503 with Retry-After, and nothing about servers", way, r.Status, r.Header, text)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.answers[way]
	if given {
		a.given++
		a.lastGiven = now
	} else {
		a.refused++
		a.codes[problem.Code]++
		if a.firstRefused.IsZero() {
			a.firstRefused = now
		}
	}
	if took := now.Sub(began); took > m.longest {
		m.longest, m.slowest = took, way
	}
	return given
}

func (m *observed) send(ctx context.Context, jwt, method, path string, body []byte, header ...string) (brokertest.Reply, error) {
	return m.broker.Call(ctx, jwt, method, path, body, header...)
}

func (m *observed) tokens(way, user string, body []byte) func(context.Context, int) {
	jwt := brokertest.Token(m.t, user)
	return func(ctx context.Context, _ int) { m.call(ctx, way, jwt, http.MethodPost, "/v1/token", body, nil) }
}

func (m *observed) newTokens(ctx context.Context, n int) {
	m.call(ctx, askNew, brokertest.Token(m.t, fmt.Sprint("new-", n)), http.MethodPost, "/v1/token", nil, nil)
}

// gatewayUser returns a caller of the gateway with a token that was issued before.
func (m *observed) gatewayUser() func(context.Context, int) {
	var token struct {
		AccessToken string `json:"access_token"`
		BaseURL     string `json:"api_base_url"`
	}
	m.broker.Must(brokertest.Token(m.t, "zoya"), http.MethodPost, "/v1/token", []byte(`{"mode":"gateway"}`), http.StatusOK, &token)
	path := strings.TrimPrefix(token.BaseURL, "http://"+m.broker.Address)
	return func(ctx context.Context, _ int) {
		m.call(ctx, callGateway, "", http.MethodPost, path+"/v1/token/verify", nil, nil, "X-Api-Key", token.AccessToken)
	}
}

func (m *observed) saver(number int) func(context.Context, int) {
	s := &statements{jwt: brokertest.Token(m.t, fmt.Sprint("saver-", number))}
	m.savers = append(m.savers, s)
	return func(ctx context.Context, n int) {
		sent := sentStatement{key: fmt.Sprintf("key-%d-%d", number, n), payload: statementOf(fmt.Sprintf("Fund %d of %d", n, number), 1+n%5).payload}
		var saved struct {
			ID string `json:"id"`
		}
		m.call(ctx, save, s.jwt, http.MethodPost, "/v1/portfolios", sent.payload, &saved, "Idempotency-Key", sent.key)
		sent.id = saved.ID
		s.sent = append(s.sent, sent)
	}
}

func (m *observed) reader(user string) func(context.Context, int) {
	jwt := brokertest.Token(m.t, user)
	return func(ctx context.Context, _ int) {
		m.call(ctx, read, jwt, http.MethodGet, "/v1/portfolios", nil, nil)
	}
}

// revoker returns a user who gets a token and revokes all tokens.
func (m *observed) revoker(user string) func(context.Context, int) {
	jwt := brokertest.Token(m.t, user)
	last := ""
	return func(ctx context.Context, _ int) {
		var token struct {
			GrantID string `json:"grant_id"`
		}
		if !m.call(ctx, askNew, jwt, http.MethodPost, "/v1/token", nil, &token) {
			return
		}
		if token.GrantID == last {
			m.t.Errorf("the token of grant %s was handed out after its acknowledged revocation", last)
		}
		if m.call(ctx, revoke, jwt, http.MethodPost, "/v1/token/revoke", nil, nil) {
			last = token.GrantID
			m.mu.Lock()
			defer m.mu.Unlock()
			m.revoked = append(m.revoked, revokedGrant{jwt, last})
		}
	}
}

// wantNothingHalf ends the load, and fails the test unless each acknowledged statement and revocation is
// there, each refused statement is not there or is there whole, none is there twice, and the audit trail
// is complete.
func (m *observed) wantNothingHalf() {
	m.t.Helper()
	m.load.end()
	acknowledged, refused := 0, 0
	for _, s := range m.savers {
		for _, sent := range s.sent {
			if sent.id == "" {
				refused++
			} else {
				acknowledged++
			}
		}
		m.wantOnce(s)
	}
	for _, r := range m.revoked {
		var grant struct {
			State string `json:"state"`
		}
		m.broker.Must(r.jwt, http.MethodGet, "/v1/grants/"+r.grant, nil, http.StatusOK, &grant)
		if grant.State == "active" {
			m.t.Errorf("grant %s is active, although its revocation was acknowledged", r.grant)
		}
	}
	if out, code := runCommand(m.t, m.broker, "audit", "verify"); code != 0 || !strings.Contains(out, "are intact") {
		m.t.Errorf("audit verify: got exit code %d and %s", code, out)
	}
	m.t.Logf("%d statements were acknowledged, %d refused; %d revocations were acknowledged", acknowledged, refused, len(m.revoked))
}

// wantOnce saves again what was refused, with the same keys, and fails the test unless there is each
// statement then, once and whole.
func (m *observed) wantOnce(s *statements) {
	m.t.Helper()
	for i, sent := range s.sent {
		var saved struct {
			ID string `json:"id"`
		}
		var r brokertest.Reply
		var err error
		eventually(m.t, "the key is free", func() bool { // that of a call whose end could not be written
			r, err = m.send(m.t.Context(), s.jwt, http.MethodPost, "/v1/portfolios", sent.payload, "Idempotency-Key", sent.key)
			return r.Status != http.StatusConflict
		})
		if err != nil || r.Status > http.StatusCreated || json.Unmarshal(r.Body, &saved) != nil || sent.id != "" && saved.ID != sent.id {
			m.t.Fatalf("save again: got %v, %d %s, want %s", err, r.Status, r.Body, sent.id)
		}
		var read struct {
			Rows         []any `json:"rows"`
			Transactions int   `json:"transactions"`
		}
		m.broker.Must(s.jwt, http.MethodGet, "/v1/portfolios/"+saved.ID, nil, http.StatusOK, &read)
		if want := 1 + i%5; len(read.Rows) != want || read.Transactions != want {
			m.t.Errorf("%s has %d rows and %d transactions, want %d each", saved.ID, len(read.Rows), read.Transactions, want)
		}
		s.sent[i].id = saved.ID
	}
	var found []string
	for path := "/v1/portfolios?limit=100"; path != ""; {
		var page struct {
			Portfolios []struct {
				ID string `json:"id"`
			} `json:"portfolios"`
			NextCursor *string `json:"next_cursor"`
		}
		m.broker.Must(s.jwt, http.MethodGet, path, nil, http.StatusOK, &page)
		for _, p := range page.Portfolios {
			found = append(found, p.ID)
		}
		if path = ""; page.NextCursor != nil {
			path = "/v1/portfolios?limit=100&cursor=" + *page.NextCursor
		}
	}
	slices.Sort(found)
	if all := len(found); len(slices.Compact(found)) != len(s.sent) || all != len(s.sent) {
		m.t.Errorf("%d statements were sent, and there are %d portfolios", len(s.sent), all)
	}
}
