// Package sandbox emulates the CAS Parser API as its public documents describe
// it: keys, access tokens, credits, parsing, fetching, mailboxes and their
// errors, all in memory, with fictional people and securities. It lets the broker run
// and be tested without the vendor, and injects failures on request. It imports
// nothing else of this module, above all not the client that is tested against it.
// README.md in this folder lists what it leaves out.
package sandbox

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// PublicKey is the API key that every caller may use for tests: every endpoint answers
// it and its tokens with a sample at once, whatever is sent. It costs no credits and is
// limited to PublicLimit requests a minute.
const PublicKey = "sandbox-with-json-responses"

// Requests a minute, which a key and its tokens share.
const (
	PublicLimit  = 10 // of PublicKey
	AccountLimit = 60 // of any other key, by default
)

// Unlimited means that credits never run out, or that requests are not limited.
const Unlimited = -1

const defaultCredits = 1000

// Account is a customer of the emulated vendor.
type Account struct {
	APIKey  string
	Credits int // whole credits, or Unlimited
}

// Options configure a Sandbox. The zero value is usable: only PublicKey is valid then.
type Options struct {
	APIKey   string    // key of the first account; empty for no such account
	Credits  int       // credits of the first account; 0 means 1000
	Accounts []Account // further accounts; 0 credits means 0 here

	// RateLimit is the number of requests a minute for each account: 0 means
	// AccountLimit, Unlimited means no limit.
	RateLimit int

	// Now is the clock of all times in answers, of meta.generated_at too, and of all
	// expiries and limits. nil means time.Now.
	Now        func() time.Time
	ParseDelay time.Duration // duration of each parse
	Faults     []Fault       // added with AddFault, in this order

	// BaseURL is the start of the URLs in answers. When empty it is taken from each
	// request: its scheme and host, then Prefix.
	BaseURL string
	// Prefix is the path that the sandbox is mounted under, such as "/sandbox".
	// Requests may arrive with it or without.
	Prefix string

	// PasswordStatus is the status for a wrong PDF password: 400, the default, or
	// the 422 of the vendor's newer documents.
	PasswordStatus int
	// OldErrors makes errors say {"status":"error"}, as in the vendor's older
	// documents, instead of {"status":"failed"}.
	OldErrors bool
	// OpenAPIErrors makes an unknown key, an expired token and used-up credits answer
	// the same 403 without a code, as in the vendor's OpenAPI description, instead of
	// 401, 403 and 402.
	OpenAPIErrors bool
	// OnPremise makes it the parser that the vendor's customers run themselves: it only
	// parses, takes no key, and has no tokens, credits, limits and mailboxes.
	OnPremise bool
	// CallbackWait is the pause before the first retry of a callback; it doubles
	// with each retry. 0 means 250 ms.
	CallbackWait time.Duration
}

// Sandbox is the emulated vendor API. It is an http.Handler, safe for concurrent
// use.
type Sandbox struct {
	opts          Options
	mux           *http.ServeMux
	accounts      map[string]*account // by API key; never changed after New
	local         *account            // of all callers on premises
	tokens        tokens
	files         *store[file]
	fetchSessions *store[fetchSession]
	consents      *store[consent]
	inboxes       *store[inbox]
	addresses     *store[address]
	mails         *store[mailed]
	faults        faultQueue
	calls         callCounter
	sameSite      *http.CrossOriginProtection
	callbacks     *http.Client
}

// New returns a Sandbox without tokens, files, mailboxes or usage.
func New(opts Options) *Sandbox {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.PasswordStatus == 0 {
		opts.PasswordStatus = http.StatusBadRequest
	}
	if opts.CallbackWait == 0 {
		opts.CallbackWait = 250 * time.Millisecond
	}
	opts.Prefix = strings.TrimSuffix(opts.Prefix, "/")
	s := &Sandbox{
		opts:          opts,
		mux:           http.NewServeMux(),
		accounts:      newAccounts(opts),
		local:         &account{unlimited: true},
		tokens:        tokens{byID: newStore[token](100_000)},
		files:         newStore[file](2000),
		fetchSessions: newStore[fetchSession](1000),
		consents:      newStore[consent](1000),
		inboxes:       newStore[inbox](1000),
		addresses:     newStore[address](1000),
		mails:         newStore[mailed](200),
		calls:         callCounter{byPath: map[string]int{}},
		sameSite:      http.NewCrossOriginProtection(),
		callbacks:     loopbackClient(),
	}
	for _, f := range opts.Faults {
		s.AddFault(f)
	}
	s.mountAPIRoutes()
	s.mountSandboxRoutes()
	return s
}

// ServeHTTP answers one request.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, s.opts.Prefix+"/"); ok && s.opts.Prefix != "" {
		r = withPath(r, "/"+rest)
	}
	w.Header().Set("X-Request-ID", requestID(r))
	if isControl(r.URL.Path) {
		s.route(w, r)
		return
	}
	if handleCORS(w, r) {
		return
	}
	s.calls.add(r.URL.Path)
	if f, ok := s.faults.next(r.URL.Path); !ok {
		s.route(w, r)
	} else if hijacked := s.applyFault(w, r, f); hijacked {
		return // net/http forbids reading the body of a hijacked connection
	}
	// Read the rest of the body: a client that is still sending may otherwise see a
	// reset instead of its answer. The answer is written, so an error has no effect.
	_, _ = io.CopyN(io.Discard, r.Body, maxUpload)
}

// route passes r to the matching handler. For an unknown path or method it sends
// ServeMux's answer as the vendor's JSON instead of plain text.
func (s *Sandbox) route(w http.ResponseWriter, r *http.Request) {
	if h, pattern := s.mux.Handler(r); pattern == "" {
		c := newResponseBuffer(w)
		h.ServeHTTP(c, r)
		if allow := c.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		s.writeAPIError(w, &apiError{status: c.status, msg: http.StatusText(c.status), detail: true})
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Calls returns the number of requests for path, without CORS preflights and
// control calls.
func (s *Sandbox) Calls(path string) int { return s.calls.count(path) }

// IssuedTokens returns the number of access tokens minted since New.
func (s *Sandbox) IssuedTokens() int { return int(s.tokens.issued.Load()) }

// AddFault makes the calls that match f fail. Faults for the same path take effect
// in the order in which they were added.
func (s *Sandbox) AddFault(f Fault) { s.faults.add(f) }

// ClearFaults removes all faults.
func (s *Sandbox) ClearFaults() { s.faults.clear() }
