// Package sandbox emulates the CAS Parser API as its public documents describe
// it: keys, access tokens, credits, parsing, fetching, mailboxes and their
// errors, all in memory, with invented people and securities. It exists so that
// the broker can be run and tested without the vendor; it fails on request. It
// imports nothing else of this module, above all not the client it is there to
// test. The README beside this file says what it leaves out.
package sandbox

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// PublicKey is the API key that anybody may use: sample data, no credits, and
// PublicLimit requests a minute.
const PublicKey = "sandbox-with-json-responses"

// PublicLimit is how many requests a minute PublicKey and its tokens get together.
const PublicLimit = 10

// Unlimited is the number of credits that never run out.
const Unlimited = -1

const defaultCredits = 1000

// Account is a customer of the emulated vendor.
type Account struct {
	APIKey  string
	Credits int // whole credits; Unlimited for no end
}

// Options say how a Sandbox behaves. The zero value is usable: it knows only PublicKey.
type Options struct {
	APIKey   string    // the first account's key; none when empty
	Credits  int       // of APIKey; 0 means 1000
	Accounts []Account // further accounts, taken as they stand

	Now        func() time.Time // nil means time.Now
	ParseDelay time.Duration    // how long each parse takes
	Faults     []Fault          // as if given to AddFault one by one

	// BaseURL is what the URLs in answers begin with. When empty it is taken
	// from each request: its scheme and host, then Prefix.
	BaseURL string
	// Prefix is the path that the sandbox is mounted under, such as "/sandbox".
	// Requests may arrive with it or without.
	Prefix string

	// PasswordStatus answers a wrong PDF password: 400 (also when 0), or the 422
	// of the vendor's newer documents.
	PasswordStatus int
	// OldErrors makes refusals say {"status":"error"}, as the vendor's older
	// documents have it, instead of {"status":"failed"}.
	OldErrors bool
	// CallbackWait is the pause before a callback is tried again; it doubles each
	// time. 0 means 250 ms.
	CallbackWait time.Duration
}

// Sandbox is the emulated vendor: an http.Handler, safe for concurrent use.
type Sandbox struct {
	opts      Options
	mux       *http.ServeMux
	accounts  map[string]*account // by API key; fixed once made
	tokens    tokens
	files     *shelf[file]
	fetches   *shelf[fetch]
	consents  *shelf[consent]
	inboxes   *shelf[inbox]
	addresses *shelf[address]
	faults    faults
	calls     calls
	sameSite  *http.CrossOriginProtection
	callbacks *http.Client
}

// New makes a Sandbox in its first state.
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
		opts:      opts,
		mux:       http.NewServeMux(),
		accounts:  openAccounts(opts),
		tokens:    tokens{kept: newShelf[token](100_000)},
		files:     newShelf[file](2000),
		fetches:   newShelf[fetch](1000),
		consents:  newShelf[consent](1000),
		inboxes:   newShelf[inbox](1000),
		addresses: newShelf[address](1000),
		calls:     calls{byPath: map[string]int{}},
		sameSite:  http.NewCrossOriginProtection(),
		callbacks: loopbackClient(),
	}
	for _, f := range opts.Faults {
		s.AddFault(f)
	}
	s.mountAPI()
	s.mountOwn()
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
	if allowOrigins(w, r) {
		return
	}
	s.calls.add(r.URL.Path)
	if f, ok := s.faults.next(r.URL.Path); !ok {
		s.route(w, r)
	} else if gone := s.fail(w, r, f); gone {
		return // net/http forbids reading the body of a hijacked connection
	}
	// A client still sending may see a reset instead of its answer, so the rest
	// of the body is taken too; its error changes nothing any more.
	_, _ = io.CopyN(io.Discard, r.Body, maxUpload)
}

// route hands r to the matching handler. What ServeMux would refuse in plain
// text is refused in the vendor's JSON.
func (s *Sandbox) route(w http.ResponseWriter, r *http.Request) {
	if h, pattern := s.mux.Handler(r); pattern == "" {
		c := newCaptured(w)
		h.ServeHTTP(c, r)
		if allow := c.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		s.writeRefusal(w, &refusal{status: c.status, msg: http.StatusText(c.status), detail: true})
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Calls returns how many requests came for path, CORS preflights and control
// calls not counted.
func (s *Sandbox) Calls(path string) int { return s.calls.count(path) }

// IssuedTokens returns how many access tokens were ever minted.
func (s *Sandbox) IssuedTokens() int { return int(s.tokens.issued.Load()) }

// AddFault makes the calls that f names go wrong. Faults for the same path take
// effect in the order in which they were added.
func (s *Sandbox) AddFault(f Fault) { s.faults.add(f) }

// ClearFaults ends all faults.
func (s *Sandbox) ClearFaults() { s.faults.clear() }
