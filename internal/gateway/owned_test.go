package gateway_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/gateway"
	"casbroker/internal/secret"
)

const (
	handle      = "ibt_handle-of-asha"
	vendorToken = "it_token-of-the-vendor"
)

// fakeOwnership holds resources in memory.
type fakeOwnership struct {
	mu        sync.Mutex
	list      []gateway.Resource
	mailboxes map[string]gateway.ConnectedMailbox
	down      bool // changes fail
}

var errDown = fault.New(fault.Unavailable, "store_unavailable", "Try again.")

func (f *fakeOwnership) ClaimResource(ctx context.Context, r gateway.Resource) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down || ctx.Err() != nil {
		return false, errDown
	}
	for _, other := range f.list {
		if other.Kind == r.Kind && other.ID == r.ID {
			return other.Subject == r.Subject, nil
		}
	}
	f.list = append(f.list, r)
	return true, nil
}

func (f *fakeOwnership) Resource(_ context.Context, kind gateway.Kind, id string) (gateway.Resource, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.list {
		if r.Kind == kind && r.ID == id {
			return r, nil
		}
	}
	return gateway.Resource{}, nil
}

func (f *fakeOwnership) Resources(_ context.Context, subject string, kind gateway.Kind) (own []gateway.Resource, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.list {
		if r.Subject == subject && r.Kind == kind {
			own = append(own, r)
		}
	}
	return own, nil
}

func (f *fakeOwnership) ReleaseResource(_ context.Context, kind gateway.Kind, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = slices.DeleteFunc(f.list, func(r gateway.Resource) bool { return r.Kind == kind && r.ID == id })
	return nil
}

func (f *fakeOwnership) BeginConnection(context.Context, string, gateway.Connection, time.Time) error {
	return errDown
}

func (f *fakeOwnership) EndConnection(context.Context, string, string, secret.Text, time.Time) (gateway.Connection, error) {
	return gateway.Connection{}, errDown
}

func (f *fakeOwnership) Mailbox(_ context.Context, handle string) (gateway.ConnectedMailbox, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mailboxes[handle], nil
}

func (f *fakeOwnership) DeleteMailbox(_ context.Context, handle string, _ audit.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mailboxes, handle)
	return nil
}

// has reports whether subject has a resource.
func (f *fakeOwnership) has(kind gateway.Kind, id, subject string) bool {
	r, _ := f.Resource(context.Background(), kind, id)
	return r.Subject == subject
}

// manyTokens are tokens of asha for all features.
type manyTokens struct{}

func (manyTokens) Open(value string) (gateway.Token, error) {
	t, err := fakeTokens{}.Open(value)
	t.Features = allFeatures
	return t, err
}

var allFeatures = []string{gateway.Parse, gateway.Fetch, gateway.Generate, gateway.InboundEmail, gateway.Inbox}

// newOwnedWorld starts a gateway of all features, in which rohan has the session cs_other
// and asha a mailbox.
func newOwnedWorld(t *testing.T, answer http.HandlerFunc) (*world, *fakeOwnership) {
	t.Helper()
	owned := &fakeOwnership{
		list:      []gateway.Resource{{Kind: gateway.OTPSession, ID: "cs_other", Subject: "app:rohan"}},
		mailboxes: map[string]gateway.ConnectedMailbox{handle: {Subject: "app:asha", Token: vendorToken}},
	}
	w := newWorld(t, answer, func(h *gateway.Handler) {
		h.Features, h.Tokens, h.Owned = allFeatures, manyTokens{}, owned
		h.Reference = gateway.NewReference(func(string, []byte) []byte { return make([]byte, 32) })
		h.URL = func(string) string { return "https://broker.example/gateway" }
		h.RedirectHosts = []string{"app.example"}
	})
	return w, owned
}

// call makes a call of the API. header holds pairs.
func (w *world) call(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	r := request(t, w.url+"/gateway"+path, strings.NewReader(body), header...)
	r.Method = method
	return send(t, r)
}

// says answers with status and a JSON body.
func says(status int, body string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}
}

func TestSessionIsStoredBeforeTheAnswerIsGiven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		answer string
		want   int
		code   string // of the caller's answer
		owned  string // the session that asha has then
	}{
		"a session":                   {200, `{"status":"success","session_id":"cs_1","msg":"sent","new":[1]}`, 200, "", "cs_1"},
		"a failure with 200":          {200, `{"status":"failed","msg":"no such investor"}`, 200, "", ""},
		"a failure with 400":          {400, `{"status":"failed","session_id":"cs_1"}`, 400, "", ""},
		"another user's session":      {200, `{"status":"success","session_id":"cs_other"}`, 502, "UPSTREAM_BAD_ANSWER", ""},
		"a session that is a path":    {200, `{"status":"success","session_id":"../../smart"}`, 502, "UPSTREAM_BAD_ANSWER", ""},
		"a session that is long":      {200, `{"session_id":"` + strings.Repeat("a", 129) + `"}`, 502, "UPSTREAM_BAD_ANSWER", ""},
		"an answer of 2 MB":           {200, `{"session_id":"cs_1","x":"` + strings.Repeat("a", 2<<20) + `"}`, 502, "UPSTREAM_BAD_ANSWER", ""},
		"a session that is a number":  {200, `{"session_id":17}`, 200, "", ""},
		"an answer that is no object": {200, `[]`, 200, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, owned := newOwnedWorld(t, says(c.status, c.answer))
			a := w.call(t, "POST", "/v4/cdsl/fetch", "{}")
			if a.status != c.want || a.err != nil || !strings.Contains(a.body, c.code) || a.status == c.status && a.body != c.answer {
				t.Errorf("got %d %.300s %v, want %d", a.status, a.body, a.err, c.want)
			}
			if c.owned != "" && !owned.has(gateway.OTPSession, c.owned, "app:asha") || c.owned == "" && len(owned.list) != 1 {
				t.Errorf("got %+v, want %q", owned.list, c.owned)
			}
			if !owned.has(gateway.OTPSession, "cs_other", "app:rohan") {
				t.Error("another user's session was taken")
			}
		})
	}
}

func TestAddressThatCannotBeStoredIsDeleted(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	w, owned := newOwnedWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, r.Method+" "+r.RequestURI+" "+string(body))
		mu.Unlock()
		says(http.StatusCreated, `{"inbound_email_id":"ie_1"}`)(rw, r)
	})
	owned.down = true
	a := w.call(t, "POST", "/v4/inbound-email", `{"alias":"asha","metadata":{"a":"b"},"reference":"x","webhook":"https://evil.example"}`)
	if a.status != 503 || strings.Contains(a.body, "ie_1") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{
		`POST /v4/inbound-email {"alias":"asha","reference":"user_` + strings.Repeat("A", 43) + `","metadata":{"a":"b"}}`,
		"DELETE /v4/inbound-email/ie_1 ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the vendor got %q, want %q", got, want)
	}
}

func TestCallAboutAnAddressPassesNoQueryAndNoBody(t *testing.T) {
	t.Parallel()
	w, owned := newOwnedWorld(t, ok)
	owned.list = append(owned.list, gateway.Resource{Kind: gateway.Address, ID: "ie_1", Subject: "app:asha"})
	a := w.call(t, "GET", "/v4/inbound-email/ie_1?x=1", "a body")
	if r := w.lastRequest(); a.status != 200 || r.RequestURI != "/v4/inbound-email/ie_1" || r.ContentLength != 0 {
		t.Errorf("got %+v, the vendor %s with %d bytes", a, r.RequestURI, r.ContentLength)
	}
}

func TestAddressIsTheCallersUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	w, owned := newOwnedWorld(t, says(200, `{"status":"success","inbound_email_id":"ie_1"}`))
	owned.list = append(owned.list, gateway.Resource{Kind: gateway.Address, ID: "ie_1", Subject: "app:asha"})
	for range 2 { // the second is remembered
		if a := w.call(t, http.MethodGet, "/v4/inbound-email/ie_1", ""); a.status != 200 {
			t.Fatalf("got %+v", a)
		}
	}
	if a := w.call(t, http.MethodDelete, "/v4/inbound-email/ie_1", ""); a.status != 200 {
		t.Fatalf("got %+v", a)
	}
	asked := w.requests.Load()
	if a := w.call(t, http.MethodGet, "/v4/inbound-email/ie_1", ""); a.status != 404 || w.requests.Load() != asked {
		t.Errorf("got %+v and %d calls, want 404 and none", a, w.requests.Load()-asked)
	}
}

func TestListFailsAsAWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int
	}{
		"refused key": {says(403, `{"status":"failed","msg":"x"}`), 502},
		"busy":        {says(429, `{"status":"failed","msg":"x"}`), 429},
		"no JSON":     {says(200, `{"a":`), 502},
		"a list":      {says(200, `[]`), 502},
		"a failure":   {says(500, `{}`), 502},
		"closed":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502},
		"large":       {large(2 << 20), 502},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, owned := newOwnedWorld(t, c.answer)
			owned.list = append(owned.list, gateway.Resource{Kind: gateway.Address, ID: "ie_1", Subject: "app:asha"})
			a := w.call(t, "GET", "/v4/inbound-email", "")
			if a.status != c.status || !strings.Contains(a.body, `"status":"failed"`) || !owned.has(gateway.Address, "ie_1", "app:asha") {
				t.Errorf("got %+v, want %d", a, c.status)
			}
		})
	}
}

func TestVendorGetsTheTokenOfTheMailboxInPlaceOfTheHandle(t *testing.T) {
	t.Parallel()
	w, _ := newOwnedWorld(t, ok)
	a := w.call(t, "POST", "/v4/inbox/status", "{}", "X-Inbox-Token", handle)
	if got := w.lastRequest().Header.Values("X-Inbox-Token"); a.status != 200 || !slices.Equal(got, []string{vendorToken}) {
		t.Errorf("got %+v, the vendor %q", a, got)
	}
	a = w.call(t, "POST", "/v4/generate", "{}", "X-Inbox-Token", handle)
	if got := w.lastRequest().Header.Values("X-Inbox-Token"); a.status != 200 || len(got) != 0 {
		t.Errorf("a call without a mailbox: got %+v, the vendor %q", a, got)
	}
}

func TestRefusedAPIKeyIsNotTakenForALostMailbox(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int
		kept   bool
	}{
		"the key":     {says(401, `{"status":"failed","msg":"Invalid API key"}`), 502, true},
		"the mailbox": {says(401, `{"status":"failed","msg":"Reconnect","requires_reconnect":true}`), 401, false},
		"a page about the mailbox": {func(rw http.ResponseWriter, _ *http.Request) {
			http.Error(rw, `{"requires_reconnect":true}`, http.StatusUnauthorized)
		}, 502, true},
		"a fault with 500":          {says(500, `{"status":"failed","msg":"x","requires_reconnect":true}`), 500, true},
		"success of a disconnect":   {says(200, `{"status":"success"}`), 200, false},
		"the key, with 403":         {says(403, `{"status":"failed","requires_reconnect":true}`), 502, true},
		"too many calls at a time":  {says(429, `{"status":"failed","msg":"x"}`), 429, true},
		"a very long refusal":       {says(401, `{"requires_reconnect":true,"x":"`+strings.Repeat("a", 2<<20)+`"}`), 502, true},
		"a refusal that is no JSON": {says(401, `requires_reconnect`), 502, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, owned := newOwnedWorld(t, c.answer)
			a := w.call(t, "POST", "/v4/inbox/disconnect", "{}", "X-Inbox-Token", handle)
			if m, _ := owned.Mailbox(t.Context(), handle); a.status != c.status || (m.Token != "") != c.kept {
				t.Errorf("got %+v and the mailbox %+v, want %d", a, m, c.status)
			}
			if strings.Contains(w.log.String(), vendorToken) || strings.Contains(w.log.String(), handle) {
				t.Error("the log has a token or a handle")
			}
		})
	}
}

func TestDatabaseFailuresComeInTheVendorsShape(t *testing.T) {
	t.Parallel()
	w, _ := newOwnedWorld(t, says(200, `{"status":"success","oauth_url":"https://vendor.example/consent"}`))
	a := w.call(t, "POST", "/v4/inbox/connect", `{"redirect_uri":"https://app.example/"}`)
	if a.status != 503 || !strings.Contains(a.body, `"code":"STORE_UNAVAILABLE"`) || strings.Contains(a.body, "consent") {
		t.Errorf("got %+v", a)
	}
}
