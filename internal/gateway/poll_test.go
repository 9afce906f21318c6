package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/gateway"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// mailWorld is a gateway with a database, in which asha has the address ie_1 and rohan
// ie_2, and a clock that the test moves.
type mailWorld struct {
	*world
	db *store.DB

	mu      sync.Mutex
	at      time.Time
	queries []string // of the polls that the vendor got
	arrived []gateway.Arrival
	polls   []string // how they were answered
	charged []string // mails
}

// newMailWorld starts a gateway whose vendor answers polls with answer.
func newMailWorld(t *testing.T, answer http.HandlerFunc) *mailWorld {
	t.Helper()
	m := &mailWorld{db: storetest.New(t), at: time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)}
	for id, subject := range map[string]string{"ie_1": "app:asha", "ie_2": "app:rohan"} {
		r := gateway.Resource{Kind: gateway.Address, ID: id, Subject: subject, CreatedAt: m.at}
		if ok, err := m.db.ClaimResource(t.Context(), r); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	note := func(list *[]string, text string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		*list = append(*list, text)
	}
	m.world = newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		note(&m.queries, r.URL.RawQuery)
		answer(rw, r)
	}, func(h *gateway.Handler) {
		h.Features, h.Tokens, h.Owned, h.Now = allFeatures, manyTokens{}, m.db, m.now
		h.Mail = &gateway.Mail{
			Store: m.db, PollEvery: 10 * time.Second, Now: m.now, ObservePoll: func(answer string) { note(&m.polls, answer) },
			Charge: func(_ context.Context, subject, mail string, _ time.Time) error {
				note(&m.charged, subject+" "+mail)
				return nil
			},
			Arrived: func(_ context.Context, a gateway.Arrival) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.arrived = append(m.arrived, a)
			},
		}
	})
	return m
}

func (m *mailWorld) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

func (m *mailWorld) move(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(d)
}

// poll polls ie_1.
func (m *mailWorld) poll(t *testing.T, query string) answer {
	t.Helper()
	return m.call(t, http.MethodGet, "/v4/inbound-email/ie_1/files"+query, "")
}

// vendorFile is a file in an answer of the vendor, with a member that is not documented.
func vendorFile(n int) string {
	return fmt.Sprintf(`{"message_id":"msg_%d","filename":"%d.pdf","size":12345,"extra":[1],"url":"https://files.example/%d","expires_in":86400,"received_at":"2026-01-15T10:00:00.%06dZ"}`, n, n, n, n)
}

// vendorFiles is the vendor's answer with the files from to to.
func vendorFiles(from, to int) string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, vendorFile(n))
	}
	return fmt.Sprintf(`{"status":"success","files":[%s],"count":%d,"cursor":"2026-01-15T10:00:00.%06dZ"}`, strings.Join(list, ","), len(list), to)
}

const noFiles = `{"status":"success","files":[],"count":0,"cursor":null}`

func TestVendorIsAskedWithItsOwnCursor(t *testing.T) {
	t.Parallel()
	next := vendorFiles(1, 3)
	m := newMailWorld(t, func(rw http.ResponseWriter, r *http.Request) { says(200, next)(rw, r) })
	if a := m.poll(t, ""); a.status != 200 || a.body != `{"status":"success","files":[],"count":0,"cursor":null}` || m.requests.Load() != 0 {
		t.Errorf("a new address: got %+v, the vendor %d calls", a, m.requests.Load())
	}
	m.move(10 * time.Second)
	want := `{"status":"success","files":[` +
		`{"expires_in":86400,"extra":[1],"filename":"1.pdf","message_id":"msg_1","received_at":"2026-01-15T10:00:00.000001Z","size":12345,"url":"https://files.example/1"}` +
		`],"count":1,"cursor":"2026-01-15T10:00:00.000001Z"}`
	if a := m.poll(t, "?limit=1"); a.status != 200 || a.body != want || a.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("got %+v, want %s", a, want)
	}
	m.move(9 * time.Second)
	if a := m.poll(t, "?since=2026-01-15T10:00:00.000002Z"); !strings.Contains(a.body, `"count":1,`) || !strings.Contains(a.body, `"filename":"3.pdf"`) || !strings.Contains(a.body, `"expires_in":86391`) {
		t.Errorf("got %s", a.body)
	}
	next = vendorFiles(3, 4) // the vendor repeats one
	m.move(time.Second)
	if a := m.poll(t, "?limit=50&x=1"); !strings.Contains(a.body, `"count":4,"cursor":"2026-01-15T10:00:00.000004Z"`) {
		t.Errorf("got %s", a.body)
	}
	next = noFiles
	m.move(10 * time.Second)
	m.poll(t, "")
	m.move(10 * time.Second)
	m.poll(t, "")
	m.mu.Lock()
	defer m.mu.Unlock()
	if want := []string{
		"limit=50", "limit=50&since=2026-01-15T10%3A00%3A00.000003Z", "limit=50&since=2026-01-15T10%3A00%3A00.000004Z", "limit=50&since=2026-01-15T10%3A00%3A00.000004Z",
	}; !slices.Equal(m.queries, want) {
		t.Errorf("the vendor got %q, want %q", m.queries, want)
	}
	if want := []gateway.Arrival{{Subject: "app:asha", Address: "ie_1", Messages: 3, Files: 3}, {Subject: "app:asha", Address: "ie_1", Messages: 1, Files: 1}}; !slices.Equal(m.arrived, want) {
		t.Errorf("got the arrivals %+v, want %+v", m.arrived, want)
	}
	if got := strings.Join(m.charged, ","); got != "app:asha ie_1/msg_1,app:asha ie_1/msg_2,app:asha ie_1/msg_3,app:asha ie_1/msg_3,app:asha ie_1/msg_4" {
		t.Errorf("the mails %s were charged", got)
	}
	if want := []string{"stored", "asked", "stored", "asked", "asked", "asked"}; !slices.Equal(m.polls, want) {
		t.Errorf("polls were %q, want %q", m.polls, want)
	}
}

func TestPollTakesTheVendorsParameters(t *testing.T) {
	t.Parallel()
	m := newMailWorld(t, says(200, vendorFiles(1, 25)))
	m.move(10 * time.Second)
	for query, count := range map[string]int{
		"": 20, "?limit=1": 1, "?limit=50": 25, "?limit=": 20, "?since=": 20, "?limit=3&limit=7": 3, "?unknown=1": 20,
		"?limit=50&since=2026-01-15T10:00:00Z": 25, "?limit=50&since=2026-01-15T10:00:00.000005Z": 20, "?limit=50&since=2026-01-15T10:00:00.000005": 20,
		"?limit=50&since=2026-01-15T10:00:00.0000059Z": 20, "?limit=50&since=2026-01-15T15:30:00.000005%2B05:30": 20,
		"?since=2026-01-15T10:00:00.000025Z": 0, "?since=9999-12-31T23:59:59Z": 0, "?limit=50&since=0001-01-01T00:00:00Z": 25,
	} {
		cursor := `"cursor":"`
		if count == 0 {
			cursor = `"cursor":null`
		}
		if a := m.poll(t, query); a.status != 200 || !strings.Contains(a.body, fmt.Sprintf(`"count":%d,%s`, count, cursor)) {
			t.Errorf("%s: got %d %.80s…, want %d files", query, a.status, a.body, count)
		}
	}
	for _, query := range []string{
		"?limit=0", "?limit=51", "?limit=-1", "?limit=x", "?limit=1.5", "?since=x", "?since=1", "?since=2026-01-15", "?since=2026-01-15T10:00:00+05:30", "?since=null",
	} {
		if a := m.poll(t, query); a.status != 400 || !strings.Contains(a.body, `"status":"failed","msg":"since must be`) {
			t.Errorf("%s: got %d %s, want 400", query, a.status, a.body)
		}
	}
	if n := m.requests.Load(); n != 1 {
		t.Errorf("the vendor got %d calls", n)
	}
}

func TestPollOfAnotherUsersAddressIsNotFound(t *testing.T) {
	t.Parallel()
	m := newMailWorld(t, says(200, vendorFiles(1, 1)))
	m.move(time.Minute)
	for _, id := range []string{"ie_2", "ie_3", "IE_1"} {
		a := m.call(t, http.MethodGet, "/v4/inbound-email/"+id+"/files?limit=x", "")
		if a.status != 404 || !strings.Contains(a.body, `"code":"NOT_FOUND"`) {
			t.Errorf("%s: got %+v", id, a)
		}
	}
	if n := m.requests.Load(); n != 0 {
		t.Errorf("the vendor got %d calls", n)
	}
}

func TestPollIsAnsweredFromTheDatabaseWhileTheVendorFails(t *testing.T) {
	t.Parallel()
	var vendor atomic.Pointer[http.HandlerFunc]
	becomes := func(h http.HandlerFunc) { vendor.Store(&h) }
	becomes(says(200, vendorFiles(1, 1)))
	m := newMailWorld(t, func(rw http.ResponseWriter, r *http.Request) { (*vendor.Load())(rw, r) })
	m.move(10 * time.Second)
	stored := m.poll(t, "").body
	if !strings.Contains(stored, `"count":1`) {
		t.Fatalf("got %s", stored)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"paces":            says(429, `{"status":"failed","msg":"x"}`),
		"fails":            says(500, `{"status":"failed","msg":"x"}`),
		"refuses the key":  says(403, `{"status":"failed","msg":"x"}`),
		"is out of credit": says(402, `{"status":"failed","msg":"x"}`),
		"answers a page":   func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "<html>", http.StatusNotFound) },
		"answers 200 HTML": says(200, `<html>`),
		"answers a list":   says(200, `[]`),
		"has no cursor":    says(200, `{"files":[`+vendorFile(2)+`],"cursor":null}`),
		"has a nameless":   says(200, `{"files":[{"size":1}],"cursor":"2026-01-15T10:00:00.000009Z"}`),
		"has a null":       says(200, `{"files":[null],"cursor":"2026-01-15T10:00:00.000009Z"}`),
		"hangs up":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"is verbose":       large(2 << 20),
	} {
		m.move(10 * time.Second)
		becomes(answer)
		before := m.requests.Load()
		a := m.poll(t, "")
		if a.status != 200 || !strings.Contains(a.body, `"filename":"1.pdf"`) || !strings.Contains(a.body, `"count":1,`) {
			t.Errorf("a vendor that %s: got %d %s", name, a.status, a.body)
		}
		asked := m.requests.Load()
		if n := asked - before; n != 1 && name != "hangs up" { // package http repeats a GET on a connection that was closed
			t.Errorf("a vendor that %s got %d calls", name, n)
		}
		if m.poll(t, ""); m.requests.Load() != asked {
			t.Errorf("a vendor that %s was asked again at once", name)
		}
	}
	if log := m.log.String(); strings.Contains(log, "files.example") || !strings.Contains(log, "could not be asked") {
		t.Errorf("got the log %s", log)
	}
	becomes(says(200, vendorFiles(2, 2)))
	m.move(10 * time.Second)
	if a := m.poll(t, ""); !strings.Contains(a.body, `"count":2,`) {
		t.Errorf("after all that: got %s", a.body)
	}
}

func TestAddressThatExpiredAtTheVendorIsReleased(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/files", ""} {
		m := newMailWorld(t, says(404, `{"status":"failed","msg":"Inbound email not found"}`))
		m.move(10 * time.Second)
		for range 2 {
			if a := m.call(t, http.MethodGet, "/v4/inbound-email/ie_1"+path, ""); a.status != 404 || !strings.Contains(a.body, `"status":"failed"`) {
				t.Errorf("%q: got %+v", path, a)
			}
		}
		m.isReleased(t)
	}
}

// isReleased fails the test unless ie_1 is no longer owned, and the vendor was asked once.
func (m *mailWorld) isReleased(t *testing.T) {
	t.Helper()
	if r, err := m.db.Resource(t.Context(), gateway.Address, "ie_1"); r.Subject != "" || err != nil || m.requests.Load() != 1 {
		t.Errorf("got %+v, %v; the vendor got %d calls", r, err, m.requests.Load())
	}
}
