package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultKind is a way in which a call goes wrong.
type FaultKind string

// The kinds of faults. Those after FaultDrop let the call happen and spoil only
// its answer, so a token is minted and a credit spent, as in real life.
const (
	FaultStatus    FaultKind = "status"    // answers with Status instead
	FaultDelay     FaultKind = "delay"     // answers rightly, DelayMS late
	FaultDrop      FaultKind = "drop"      // closes the connection without an answer
	FaultTruncate  FaultKind = "truncate"  // ends the connection half-way through the body
	FaultMalformed FaultKind = "malformed" // sends a body that is not JSON
	FaultDrip      FaultKind = "drip"      // sends the body in 20 pieces, DelayMS apart
)

var faultKinds = []FaultKind{FaultStatus, FaultDelay, FaultDrop, FaultTruncate, FaultMalformed, FaultDrip}

// Fault makes calls go wrong.
type Fault struct {
	Path       string    `json:"path"`  // exact, or a prefix when it ends in "*"
	Times      int       `json:"times"` // how many calls; 0 means until cleared
	Kind       FaultKind `json:"kind"`
	Status     int       `json:"status,omitempty"`      // of FaultStatus; 0 means 500
	Code       string    `json:"code,omitempty"`        // of FaultStatus; "" means the vendor's for Status
	DelayMS    int       `json:"delay_ms,omitempty"`    // before whatever else happens; for FaultDrip between pieces
	RetryAfter int       `json:"retry_after,omitempty"` // of FaultStatus, in seconds; 0 for no header
}

func (f Fault) matches(path string) bool {
	if prefix, found := strings.CutSuffix(f.Path, "*"); found {
		return strings.HasPrefix(path, prefix)
	}
	return f.Path == path
}

// problem says what is wrong with f, "" when nothing is.
func (f Fault) problem() string {
	switch {
	case !strings.HasPrefix(f.Path, "/"):
		return "path must begin with / and may end in *"
	case !slices.Contains(faultKinds, f.Kind):
		return "kind must be status, delay, drop, truncate, malformed or drip"
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return "status must be between 200 and 599"
	case f.Times < 0 || f.DelayMS < 0 || f.DelayMS > 600_000 || f.RetryAfter < 0:
		return "times, delay_ms (at most 600000) and retry_after must not be negative"
	}
	return ""
}

// faults are those still to happen, oldest first.
type faults struct {
	mu  sync.Mutex
	due []Fault
}

func (q *faults) add(f Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = append(q.due, f)
}

func (q *faults) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = nil
}

func (q *faults) list() []Fault {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]Fault{}, q.due...)
}

// next returns the first fault for path and counts it as happened.
func (q *faults) next(path string) (Fault, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.due, func(f Fault) bool { return f.matches(path) })
	if i < 0 {
		return Fault{}, false
	}
	f := q.due[i]
	switch f.Times {
	case 0:
	case 1:
		q.due = slices.Delete(q.due, i, i+1)
	default:
		q.due[i].Times--
	}
	return f, true
}

// fail answers r as f wants it. It returns true when it has taken the connection
// from net/http and closed it.
func (s *Sandbox) fail(w http.ResponseWriter, r *http.Request, f Fault) (gone bool) {
	delay := time.Duration(f.DelayMS) * time.Millisecond
	if f.Kind != FaultDrip && wait(r.Context(), delay) != nil {
		return false // the caller did not wait
	}
	switch f.Kind {
	case FaultStatus:
		s.writeRefusal(w, f.refusal(r.URL.Path))
	case FaultDrop:
		drop(w)
		return true
	case FaultTruncate, FaultMalformed, FaultDrip:
		c := newCaptured(w)
		s.route(c, r)
		f.spoil(w, r, c)
	default:
		s.route(w, r)
	}
	return false
}

// spoil sends the captured answer in the way f wants.
func (f Fault) spoil(w http.ResponseWriter, r *http.Request, c *captured) {
	for name, values := range c.header {
		w.Header()[name] = values
	}
	body := c.body.Bytes()
	pause := time.Duration(0)
	length := len(body)
	switch f.Kind {
	case FaultTruncate: // net/http ends a connection whose promised length was not written
		body = body[:len(body)/2]
	case FaultMalformed:
		body = append(slices.Clone(body[:len(body)/2]), 0)
		length = len(body)
	case FaultDrip:
		pause = time.Duration(f.DelayMS) * time.Millisecond
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(c.status)
	drip(w, r, body, pause)
}

// drip writes body in 20 pieces with a pause before each.
func drip(w http.ResponseWriter, r *http.Request, body []byte, pause time.Duration) {
	const pieces = 20
	flush := http.NewResponseController(w).Flush
	for piece := range slices.Chunk(body, max(1, (len(body)+pieces-1)/pieces)) {
		if wait(r.Context(), pause) != nil {
			return
		}
		if _, err := w.Write(piece); err != nil {
			return
		}
		_ = flush() // a writer that cannot flush sends all at the end
	}
}

// drop closes the connection; where that is not possible it ends the request
// in the way net/http knows, which closes it too.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}

// detailPaths are the calls that answer 400 with {"detail"}, which has no code.
var detailPaths = []string{"/v1/token", "/v1/access-token", "/v1/credits"}

// refusal is the vendor's answer on path for the fault's status.
func (f Fault) refusal(path string) *refusal {
	out := &refusal{status: f.Status, code: f.Code, retryAfter: f.RetryAfter}
	if out.status == 0 {
		out.status = http.StatusInternalServerError
	}
	if out.code == "" {
		out.code = map[int]string{
			http.StatusUnauthorized: "INVALID_API_KEY", http.StatusForbidden: "INVALID_API_KEY",
			http.StatusPaymentRequired: "INSUFFICIENT_CREDITS", http.StatusTooManyRequests: "RATE_LIMITED",
			http.StatusGatewayTimeout: "TIMEOUT", http.StatusUnprocessableEntity: "INVALID_PDF",
		}[out.status]
	}
	out.msg = "Emulated failure: " + http.StatusText(out.status)
	out.detail = out.status == http.StatusBadRequest && slices.Contains(detailPaths, path)
	return out
}
