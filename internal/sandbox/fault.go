package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultKind names what an injected fault does to a call.
type FaultKind string

// The kinds of faults. FaultDelay and those after FaultDrop carry out the call, so a
// token is minted and a credit spent, and affect only its answer.
const (
	FaultStatus    FaultKind = "status"    // answers with Status
	FaultDelay     FaultKind = "delay"     // answers correctly, DelayMS late
	FaultDrop      FaultKind = "drop"      // closes the connection without an answer
	FaultTruncate  FaultKind = "truncate"  // ends the connection half-way through the body
	FaultMalformed FaultKind = "malformed" // sends a body that is not JSON
	FaultDrip      FaultKind = "drip"      // sends the body in 20 pieces, DelayMS apart
)

var faultKinds = []FaultKind{FaultStatus, FaultDelay, FaultDrop, FaultTruncate, FaultMalformed, FaultDrip}

// Fault makes matching calls fail.
type Fault struct {
	Path       string    `json:"path"`  // exact, or a prefix when it ends in "*"
	Times      int       `json:"times"` // number of calls; 0 means until cleared
	Kind       FaultKind `json:"kind"`
	Status     int       `json:"status,omitempty"`      // for FaultStatus; 0 means 500
	Code       string    `json:"code,omitempty"`        // for FaultStatus; "" means the vendor's code for Status
	DelayMS    int       `json:"delay_ms,omitempty"`    // pause before the call; for FaultDrip between pieces
	RetryAfter int       `json:"retry_after,omitempty"` // for FaultStatus, in seconds; 0 for no header
}

func (f Fault) matches(path string) bool {
	if prefix, found := strings.CutSuffix(f.Path, "*"); found {
		return strings.HasPrefix(path, prefix)
	}
	return f.Path == path
}

// validate returns what is wrong with f, or "".
func (f Fault) validate() string {
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

// faultQueue holds the pending faults, oldest first. It is safe for concurrent use.
type faultQueue struct {
	mu      sync.Mutex
	pending []Fault
}

func (q *faultQueue) add(f Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending = append(q.pending, f)
}

func (q *faultQueue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending = nil
}

func (q *faultQueue) list() []Fault {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]Fault{}, q.pending...)
}

// next returns the first fault for path and decrements its Times, removing it after
// the last.
func (q *faultQueue) next(path string) (Fault, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.pending, func(f Fault) bool { return f.matches(path) })
	if i < 0 {
		return Fault{}, false
	}
	f := q.pending[i]
	switch f.Times {
	case 0:
	case 1:
		q.pending = slices.Delete(q.pending, i, i+1)
	default:
		q.pending[i].Times--
	}
	return f, true
}

// applyFault answers r as f specifies. It returns true when it has hijacked and
// closed the connection.
func (s *Sandbox) applyFault(w http.ResponseWriter, r *http.Request, f Fault) (hijacked bool) {
	delay := time.Duration(f.DelayMS) * time.Millisecond
	if f.Kind != FaultDrip && wait(r.Context(), delay) != nil {
		return false // the caller has gone
	}
	switch f.Kind {
	case FaultStatus:
		e := f.apiError(r.URL.Path)
		if s.opts.OpenAPIErrors && e.status == http.StatusForbidden && f.Code == "" {
			e = errKeyOrQuota
		}
		s.writeAPIError(w, e)
	case FaultDrop:
		drop(w)
		return true
	case FaultTruncate, FaultMalformed, FaultDrip:
		answer := newResponseBuffer(w)
		s.route(answer, r)
		f.write(w, r, answer)
	default:
		s.route(w, r)
	}
	return false
}

// write sends answer truncated, malformed or slowly, depending on f.Kind.
func (f Fault) write(w http.ResponseWriter, r *http.Request, answer *responseBuffer) {
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	body := answer.body.Bytes()
	pause := time.Duration(0)
	length := len(body)
	switch f.Kind {
	case FaultTruncate: // net/http closes the connection when less than Content-Length was written
		body = body[:len(body)/2]
	case FaultMalformed:
		body = append(slices.Clone(body[:len(body)/2]), 0)
		length = len(body)
	case FaultDrip:
		pause = time.Duration(f.DelayMS) * time.Millisecond
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(answer.status)
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
		_ = flush() // a writer that cannot flush sends everything at the end
	}
}

// drop closes the connection. If it cannot be hijacked, drop aborts the handler,
// which makes net/http close it.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}

// detailErrorPaths are the calls whose 400 is {"detail"}, without a code.
var detailErrorPaths = []string{"/v1/token", "/v1/access-token", "/v1/credits"}

// apiError returns the vendor's error on path for the fault's status.
func (f Fault) apiError(path string) *apiError {
	e := &apiError{status: f.Status, code: f.Code, retryAfter: f.RetryAfter}
	if e.status == 0 {
		e.status = http.StatusInternalServerError
	}
	if e.code == "" {
		e.code = map[int]string{
			http.StatusUnauthorized: "INVALID_API_KEY", http.StatusForbidden: "INVALID_API_KEY",
			http.StatusPaymentRequired: "INSUFFICIENT_CREDITS", http.StatusTooManyRequests: "RATE_LIMITED",
			http.StatusGatewayTimeout: "TIMEOUT", http.StatusUnprocessableEntity: "INVALID_PDF",
		}[e.status]
	}
	e.msg = "Emulated failure: " + http.StatusText(e.status)
	e.detail = e.status == http.StatusBadRequest && slices.Contains(detailErrorPaths, path)
	return e
}
