package gateway

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
	"casbroker/internal/tracing"
)

// exchange is one call and its answer.
type exchange struct {
	*Handler

	token   Token
	route   *route
	id      string // of the request, at the vendor too
	feature string
	began   time.Time

	resource   string       // the id in the path
	query      url.Values   // that the vendor gets
	inboxToken secret.Text  // that the vendor gets; "" for none
	inspect    inspector    // sees the vendor's answer before the caller; nil for none
	arriving   io.Reader    // the caller's body, as the server gave it
	document   *checkedBody // nil until the body of an upload is read
	call       *vendorCall
	keyName    string                          // of the only API key that will do; "" for any
	captured   Captures                        // gets a copy of a parsed statement; nil for none
	strict     bool                            // see UserCall
	before     func(ctx context.Context) error // see UserCall; nil for none
	// callbackSecret is that of the callback which a new forwarding address gets; "" for none.
	callbackSecret secret.Text

	span     *tracing.Span // of the call; nil for none
	record   record        // for Calls
	sent     bool          // the proxy got the request
	answered string        // the outcome that an answer of the vendor means; "" without one
	failed   error         // why the proxy has no answer
}

// The outcomes of calls.
const (
	OutcomeOK          = "ok"             // answered by the vendor with success
	OutcomeError       = "vendor_error"   // answered by the vendor with an error of its own
	OutcomeRefused     = "refused"        // not passed on, or not as a whole
	OutcomeCredential  = "refused_key"    // the vendor does not accept the API key
	OutcomeCredits     = "out_of_credits" // answered by the vendor with 402
	OutcomeBadAnswer   = "bad_answer"     // not an answer of the vendor's API
	OutcomeUnreachable = "unreachable"    // no answer
	OutcomeTimeout     = "timeout"        // no answer in time
	OutcomeAborted     = "aborted"        // the answer broke off, or the caller left
)

// featureOther is the feature of calls that are not on the allow-list.
const featureOther = "other"

// Failures of calls that were passed on.
var (
	errTimeout = fault.New(fault.BadGateway, "timeout",
		"The statement service did not answer in time; try again.")
	errUnreachable = fault.New(fault.BadGateway, "upstream_unavailable",
		"The statement service does not answer at the moment; try again later.")
	errAborted = fault.New(fault.Invalid, "upload_aborted", "The upload was broken off.")
	errTooLong = errors.New("the answer is too long")
)

// outcomeOf returns the outcome of a call that ended with err; answered is that of an
// answer of the vendor.
func outcomeOf(answered string, err error) string {
	switch {
	case err == nil:
		return cmp.Or(answered, OutcomeOK) // the broker itself answers verifications
	case errors.Is(err, errTimeout):
		return OutcomeTimeout
	case errors.Is(err, errUnreachable):
		return OutcomeUnreachable
	case errors.Is(err, errRefusedKey):
		return OutcomeCredential
	case errors.Is(err, apikey.ErrOutOfCredits):
		return OutcomeCredits
	case errors.Is(err, errBadAnswer):
		return OutcomeBadAnswer
	case errors.Is(err, errAborted), errors.Is(err, httpapi.ErrBodyTooSlow), errors.Is(err, errStopping), errors.Is(err, context.Canceled):
		return OutcomeAborted
	default:
		return OutcomeRefused
	}
}

// pass streams the request to the vendor and the answer to w. It returns an error if
// nothing was written to w. It panics with http.ErrAbortHandler if the answer broke off.
func (x *exchange) pass(w http.ResponseWriter, r *http.Request) error {
	if !x.route.free {
		done, err := x.Uploads.begin(x.token.Subject)
		if err != nil {
			return err
		}
		defer done()
	}
	limit := x.Timeouts.answer(x.feature)
	total := x.Timeouts.Upload + limit
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer cancel(nil)
	ended, err := x.Vendor.begin(cancel)
	if err != nil {
		return err
	}
	defer ended()
	var uploaded atomic.Bool
	unwatch := context.AfterFunc(r.Context(), func() {
		if !uploaded.Load() || !x.captures() { // else the answer is worth having without the caller
			cancel(context.Cause(r.Context()))
		}
	})
	defer unwatch()
	if err := x.start(ctx); err != nil {
		return err
	}
	timer := time.AfterFunc(total, func() { cancel(errTimeout) })
	defer timer.Stop()
	// These replace the deadlines of the server, which are for short calls.
	now := time.Now()
	httpapi.SetReadDeadline(w, x.arriving, now.Add(x.Timeouts.Upload))
	_ = http.NewResponseController(w).SetWriteDeadline(now.Add(total + writeMargin)) // fails only without a connection

	r = r.WithContext(x.record.watchSending(ctx))
	received := func() {
		uploaded.Store(true)
		x.record.received.Store(true)
		timer.Reset(limit)
		// The old deadline would end the request while the vendor works.
		httpapi.SetReadDeadline(w, x.arriving, time.Now().Add(limit+writeMargin))
	}
	body := &watchedBody{ReadCloser: r.Body, atEnd: sync.OnceFunc(received)}
	if r.Body = body; r.ContentLength == 0 {
		received()
	}
	defer x.call.done(healthCanceled) // unless something else was said before
	x.send(w, r)
	if x.failed == nil {
		return nil
	}
	err = explain(ctx, body.failure(), x.failed)
	x.call.done(healthOfError(err))
	return err
}

// send sends the request, once.
func (x *exchange) send(w http.ResponseWriter, r *http.Request) {
	proxy := httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		ModifyResponse: x.checkAnswer,
		ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, err error) { x.failed = err },
		Transport:      x.Vendor.transport,
		BufferPool:     &x.Vendor.buffers,
		ErrorLog:       slog.NewLogLogger(x.Log.Handler(), slog.LevelWarn),
	}
	x.sent = true
	ctx, span := x.startSpan(r.Context(), r.Method, x.route.path)
	defer span.End()
	x.span = span
	proxy.ServeHTTP(w, r.WithContext(ctx))
	span.FailIf(x.failed)
}

// writeMargin is how much longer than the vendor's answer takes the caller has to read it.
const writeMargin = 10 * time.Second

// explain returns the caller's error for err of the proxy. bodyErr is that of reading the
// caller's body, nil if there was none. It comes first: the server also cancels the
// request then, and err may be either.
func explain(ctx context.Context, bodyErr, err error) error {
	_, known := errors.AsType[*fault.Fault](err)
	_, refused := errors.AsType[*fault.Fault](bodyErr)
	_, tooLarge := errors.AsType[*http.MaxBytesError](bodyErr)
	cause := context.Cause(ctx)
	switch {
	case refused, tooLarge:
		return bodyErr
	case known:
		return err
	case errors.Is(bodyErr, os.ErrDeadlineExceeded):
		return httpapi.ErrBodyTooSlow.Because(bodyErr)
	case errors.Is(cause, errTimeout):
		return errTimeout.Because(err)
	case bodyErr != nil:
		return errAborted.Because(bodyErr)
	case cause != nil:
		return cause // the caller has gone
	default:
		return errUnreachable.Because(err)
	}
}

// watchedBody is a body that calls atEnd once it was read as a whole, and remembers why it
// could not be.
type watchedBody struct {
	io.ReadCloser
	atEnd func()
	err   atomic.Pointer[error]
}

// failure returns why the body could not be read, nil if it could.
func (b *watchedBody) failure() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Read reads from the body.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.atEnd()
	default:
		b.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// drainTimeout bounds drain.
const drainTimeout = 5 * time.Second

// drain reads the rest of the body of a request that is refused. A browser that still
// sends would see a broken connection instead of the answer.
func (x *exchange) drain(w http.ResponseWriter, r *http.Request, body io.Reader) {
	// A caller that waits for leave to send does not get it.
	if r.ContentLength == 0 || x.document == nil && r.Header.Get("Expect") != "" {
		return
	}
	httpapi.SetReadDeadline(w, x.arriving, time.Now().Add(drainTimeout))
	_, _ = io.Copy(io.Discard, body)
}
