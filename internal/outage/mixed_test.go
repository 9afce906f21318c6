package outage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
)

const (
	mixedUsers    = 6
	mixedBlocked  = 2 // users that operators block and unblock
	staleness     = 5 * time.Second
	pauseOfMixed  = 20 * time.Millisecond // between the calls of one caller
	statementForm = "--x\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"cdsl.pdf\"\r\n\r\n%PDF-1.4\n% cdsl\n%%EOF\n\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nABCDE1234F\r\n--x--\r\n"
	formType = "multipart/form-data; boundary=x"
)

// mixedSettings allow what the callers of mixed do, as often as they can, with a budget for it.
func mixedSettings() []string {
	list := []string{
		"CASBROKER_TOKEN_MODE=gateway", "CASBROKER_PORTFOLIO_MAX_PER_USER=100000", "CASBROKER_AUTH_VERIFIERS_0_ACTS_FOR=app",
		"CASBROKER_ACCESS_POLL=500ms", "CASBROKER_ACCESS_MAX_STALENESS=" + staleness.String(),
		"CASBROKER_BUDGETS_0_NAME=all", "CASBROKER_BUDGETS_0_SCOPE=user", "CASBROKER_BUDGETS_0_PERIOD=month", "CASBROKER_BUDGETS_0_CREDITS=1000000",
	}
	for _, class := range []string{"TOKEN", "UPLOAD", "ADMIN"} {
		for _, whose := range []string{"USER", "ADDRESS", "ALL"} {
			list = append(list, fmt.Sprintf("CASBROKER_RATELIMIT_%s_%s=", class, whose))
		}
	}
	return append(list, "CASBROKER_RATELIMIT_SERVICE_USER=", "CASBROKER_RATELIMIT_SERVICE_TOTAL=", "CASBROKER_RATELIMIT_FAILURES=")
}

// mixed is users, operators and a back end that call a deployment at the same time, and a record
// of all that was acknowledged. A request that gets no answer, or 503, is sent again to the next
// replica, as it was.
type mixed struct {
	t     *testing.T
	d     *deployment
	at    []*brokertest.Program // where requests are sent: the replicas, or a proxy
	lossy bool                  // whether requests may fail
	stale time.Duration         // how long a token may be handed out after its revocation, at most
	admin string                // a JWT, as backend
	back  string
	users []*mixedUser
	// blocked are users that an operator blocks and unblocks in turn.
	blocked []*blockedUser
	events  eventPage // what the back end has read

	answered [mixedUsers + mixedBlocked + 1]atomic.Int64 // rounds of each caller
	calls    atomic.Int64
	retries  atomic.Int64
	late     atomic.Int64 // refusals of replicas that read a revocation of the user late
	faults   atomic.Int64 // that failed the test, such as something that is lost

	mu      sync.Mutex
	longest wait
}

// mixedUser is a user and what was acknowledged.
type mixedUser struct {
	name, jwt string
	saves     []*saved
	uploads   []*saved        // of one document, each with a key of its own
	grants    map[string]bool // issued
	revoked   []revokedToken
	current   gatewayToken
	parses    int
}

// saved is a statement that is saved with an Idempotency-Key.
type saved struct {
	key     string
	payload []byte
	rows    int
	id      string
	reply   brokertest.Reply // "" until it is acknowledged
}

type revokedToken struct {
	token, grant string
	at           time.Time // of the acknowledgement
}

// wait is how long a caller had no answer, and to which call.
type wait struct {
	call string
	took time.Duration
}

func (w wait) String() string { return fmt.Sprintf("%s (%s)", w.took.Round(time.Millisecond), w.call) }

type gatewayToken struct {
	AccessToken string `json:"access_token"`
	GrantID     string `json:"grant_id"`
}

// blockedUser counts the acknowledged changes of a user.
type blockedUser struct {
	name, jwt        string
	blocks, unblocks int
}

// eventPage is the answer of GET /v1/events.
type eventPage struct {
	Events []struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data struct {
			Subject     string `json:"subject"`
			PortfolioID string `json:"portfolio_id"`
			GrantID     string `json:"grant_id"`
		} `json:"data"`
	} `json:"events"`
	NextAfter string `json:"next_after"`
}

func newMixed(t *testing.T, d *deployment) *mixed {
	m := &mixed{t: t, d: d, at: d.replicas, lossy: true, stale: staleness, admin: brokertest.Token(t, "operator", brokertest.Admin), back: brokertest.Token(t, "backend", brokertest.Service)}
	for i := range mixedUsers {
		name := fmt.Sprint("user-", i)
		m.users = append(m.users, &mixedUser{name: name, jwt: brokertest.Token(t, name), grants: map[string]bool{}})
	}
	for i := range mixedBlocked {
		name := fmt.Sprint("blocked-", i)
		m.blocked = append(m.blocked, &blockedUser{name: name, jwt: brokertest.Token(t, name)})
	}
	return m
}

// start starts all callers.
func (m *mixed) start() *load {
	return under(m.t, mixedUsers+mixedBlocked+1, func(ctx context.Context, caller, number int) {
		switch {
		case caller < mixedUsers:
			m.users[caller].act(ctx, m, number)
		case caller < mixedUsers+mixedBlocked:
			m.blocked[caller-mixedUsers].act(ctx, m, number)
		default:
			m.readEvents(ctx)
		}
		m.answered[caller].Add(1)
		<-time.After(pauseOfMixed)
	})
}

// progress waits until each caller has been answered twice from now on.
func (m *mixed) progress() {
	m.t.Helper()
	var before [len(m.answered)]int64
	for i := range before {
		before[i] = m.answered[i].Load()
	}
	eventually(m.t, "each caller is answered", func() bool {
		for i := range before {
			if m.answered[i].Load() < before[i]+2 {
				return false
			}
		}
		return true
	})
}

// act makes the next call of a user.
func (u *mixedUser) act(ctx context.Context, m *mixed, number int) {
	switch number % 6 {
	case 0, 1, 4:
		u.save(m, number)
	case 2:
		u.takeToken(m)
	case 3:
		u.parse(ctx, m, number)
		u.tryRevoked(m, number)
	case 5:
		if number%12 == 5 {
			u.upload(m, number)
		} else {
			u.revoke(m)
		}
	}
}

func (u *mixedUser) save(m *mixed, number int) {
	s := statementOf(fmt.Sprintf("%s of %s", u.name, fmt.Sprint(number)), 1+number%20)
	s.key = fmt.Sprint("save-", number)
	u.saves = append(u.saves, s)
	s.reply = m.until(u.jwt, http.MethodPost, "/v1/portfolios", s.payload, http.StatusCreated, "Idempotency-Key", s.key)
	var body struct{ ID string }
	m.decode(s.reply, &body)
	s.id = body.ID
}

// statementOf returns a statement with the given number of rows, each with a transaction.
func statementOf(name string, rows int) *saved {
	row := fmt.Sprintf(`{"name":%q,"units":1.5,"nav":2,"value":3,"transactions":[{"date":"2026-01-05","type":"PURCHASE","units":1.5,"balance":1.5}]}`, name)
	list := strings.Repeat(row+",", rows-1) + row
	return &saved{rows: rows, payload: []byte(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[{"folio_number":"1/2","schemes":[` + list + `]}]}`)}
}

// takeToken takes an access token. A replica that has not heard of the last revocation yet may
// hand out the old one, until it does.
func (u *mixedUser) takeToken(m *mixed) {
	m.decode(m.until(u.jwt, http.MethodPost, "/v1/token", nil, http.StatusOK), &u.current)
	u.grants[u.current.GrantID] = true
	if at, ok := u.revokedAt(); ok && time.Since(at) > m.stale+time.Second {
		m.errorf("a token is handed out %s after its revocation", time.Since(at))
	}
}

// revokedAt returns when the current token was revoked, if it was.
func (u *mixedUser) revokedAt() (time.Time, bool) {
	for _, r := range u.revoked {
		if r.grant == u.current.GrantID {
			return r.at, true
		}
	}
	return time.Time{}, false
}

// parse has the vendor parse a statement through the gateway, once, whatever happens.
func (u *mixedUser) parse(ctx context.Context, m *mixed, number int) {
	m.calls.Add(1)
	reply, err := m.at[number%len(m.at)].Call(context.WithoutCancel(ctx), "", http.MethodPost, "/gateway/v4/smart/parse", []byte(statementForm),
		"Content-Type", formType, "X-Api-Key", u.current.AccessToken)
	_, revoked := u.revokedAt()
	switch {
	case err == nil && reply.Status == http.StatusOK:
		u.parses++
	case err == nil && reply.Status == http.StatusUnauthorized && revoked:
		u.takeToken(m)
	case err == nil && isLate(reply):
		m.late.Add(1)
	case !m.lossy, err == nil && (reply.Status != http.StatusServiceUnavailable || reply.Header.Get("Retry-After") == ""):
		m.errorf("a parse: got %v, %d %s", err, reply.Status, reply.Body)
	}
}

// tryRevoked fails the test if a replica accepts a token whose revocation all must know of.
func (u *mixedUser) tryRevoked(m *mixed, number int) {
	for _, old := range u.revoked {
		if time.Since(old.at) < m.stale+time.Second {
			break
		}
		if valid, ok := m.verify(m.at[number%len(m.at)], old.token); ok && valid {
			m.errorf("a token is valid %s after its revocation", time.Since(old.at))
		}
	}
}

// verify asks one replica whether a token is valid. ok is false if it gives no answer.
func (m *mixed) verify(r *brokertest.Program, token string) (valid, ok bool) {
	reply, err := r.Call(m.t.Context(), "", http.MethodPost, "/gateway/v1/token/verify", nil, "X-Api-Key", token)
	if err != nil || reply.Status == http.StatusServiceUnavailable {
		return false, false
	}
	var v struct{ Valid bool }
	m.decode(reply, &v)
	return v.Valid, true
}

// upload has a statement parsed and saved. All users send the same one.
func (u *mixedUser) upload(m *mixed, number int) {
	s := &saved{key: fmt.Sprint("upload-", number)}
	s.reply = u.sendDocument(m, s.key)
	var body struct{ ID string }
	m.decode(s.reply, &body)
	s.id = body.ID
	u.uploads = append(u.uploads, s)
}

// sendDocument sends the document to be uploaded, with a key, until it is saved.
func (u *mixedUser) sendDocument(m *mixed, key string) brokertest.Reply {
	return m.until(u.jwt, http.MethodPost, "/v1/statements", []byte(statementForm), 0, "Content-Type", formType, "Idempotency-Key", key)
}

func (u *mixedUser) revoke(m *mixed) {
	if _, revoked := u.revokedAt(); revoked || u.current.GrantID == "" {
		u.takeToken(m)
		return
	}
	m.until(u.jwt, http.MethodPost, "/v1/token/revoke", []byte(`{"grant_id":"`+u.current.GrantID+`"}`), http.StatusOK)
	u.revoked = append(u.revoked, revokedToken{u.current.AccessToken, u.current.GrantID, time.Now()})
	u.takeToken(m)
}

// act blocks or unblocks the user.
func (b *blockedUser) act(_ context.Context, m *mixed, number int) {
	path := "/admin/v1/users/app:" + b.name
	if number%2 == 0 {
		m.until(m.admin, http.MethodPost, path+"/block", []byte(`{"reason":"a test"}`), http.StatusOK)
		b.blocks++
		return
	}
	m.until(m.admin, http.MethodPost, path+"/unblock", nil, http.StatusOK)
	b.unblocks++
}

// readEvents reads the events that have come since the last call.
func (m *mixed) readEvents(context.Context) {
	var p eventPage
	m.decode(m.until(m.back, http.MethodGet, "/v1/events?limit=500&after="+m.events.NextAfter, nil, http.StatusOK), &p)
	m.events.Events, m.events.NextAfter = append(m.events.Events, p.Events...), p.NextAfter
}

// until sends a request to one replica after the other until it is answered, and returns the
// answer, which must have this status, or with 0 be a 2xx. Replicas may answer 503 and, while an
// earlier try with the same Idempotency-Key has not ended, 409, both with Retry-After.
func (m *mixed) until(jwt, method, path string, body []byte, status int, header ...string) brokertest.Reply {
	began := time.Now()
	for n := int(m.calls.Add(1)); ; n++ {
		r, err := m.at[n%len(m.at)].Call(m.t.Context(), jwt, method, path, body, header...)
		switch retry := r.Header.Get("Retry-After") != "" && (r.Status == http.StatusServiceUnavailable || r.Status == http.StatusConflict); {
		case retry && isLate(r):
			m.late.Add(1)
		case (err != nil || retry) && m.lossy:
			m.retries.Add(1)
		case r.Status == status, status == 0 && r.Status/100 == 2:
			m.noteWait(wait{method + " " + path, time.Since(began)})
			return r
		default:
			m.errorf("%s %s: got %v, %d %v %s, want %d", method, path, err, r.Status, r.Header, r.Body, status)
			return r
		}
		if m.t.Context().Err() != nil || time.Since(began) > time.Minute {
			m.errorf("%s %s: no answer within a minute, the last one is %d %s, %v", method, path, r.Status, r.Body, err)
			return r
		}
		<-time.After(10 * time.Millisecond)
	}
}

// isLate reports whether a replica has refused a user since it could not read, within half a second, a
// revocation that Redis has announced, as on a busy machine: that is no request that a restart has lost.
func isLate(r brokertest.Reply) bool {
	return r.Status == http.StatusServiceUnavailable && bytes.Contains(bytes.ToLower(r.Body), []byte(`"access_stale"`))
}

// wantFewLate fails the test if many requests were refused as isLate says.
func (m *mixed) wantFewLate() {
	m.t.Helper()
	if late := m.late.Load(); late > m.calls.Load()/100 {
		m.errorf("%d of %d requests were refused with access_stale, want 1%% at most", late, m.calls.Load())
	}
}

func (m *mixed) errorf(format string, args ...any) {
	m.t.Helper()
	m.faults.Add(1)
	m.t.Errorf(format, args...)
}

func (m *mixed) noteWait(w wait) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.took > m.longest.took {
		m.longest = w
	}
}

func (m *mixed) decode(r brokertest.Reply, v any) {
	if err := json.Unmarshal(r.Body, v); err != nil {
		m.errorf("%v in %d %s", err, r.Status, r.Body)
	}
}

// acknowledged is how much of each kind was acknowledged.
type acknowledged struct{ saves, uploads, tokens, revocations, blocks, parses, events int }

func (m *mixed) acknowledged() (a acknowledged) {
	for _, u := range m.users {
		a.saves, a.uploads = a.saves+len(u.saves), a.uploads+len(u.uploads)
		a.tokens, a.revocations, a.parses = a.tokens+len(u.grants), a.revocations+len(u.revoked), a.parses+u.parses
	}
	for _, b := range m.blocked {
		a.blocks += b.blocks + b.unblocks
	}
	a.events = len(m.events.Events)
	return a
}

func (a acknowledged) String() string {
	return fmt.Sprintf("%d saves, %d uploads, %d tokens, %d revocations, %d blocks and unblocks, %d parses, %d events", a.saves, a.uploads, a.tokens, a.revocations, a.blocks, a.parses, a.events)
}

// same reports whether two answers are the same for their reader.
func same(a, b brokertest.Reply) bool {
	return cmp.Or(cmp.Compare(a.Status, b.Status), bytes.Compare(a.Body, b.Body)) == 0
}
