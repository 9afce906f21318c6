package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"sync"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// UserCall is a call of the vendor's API that the broker makes for a user who has no token
// of the gateway. Its route and its document are checked as those of other calls.
type UserCall struct {
	Subject   string
	RequestID string // at the vendor too
	Method    string
	Path      string // at the vendor, such as "/v4/smart/parse"
	// Captures gets a copy of a successful answer to a parse call; nil for no copy.
	Captures Captures
	// Before is called right before the vendor gets the call, which is not made if it returns
	// an error. nil means not at all.
	Before func(ctx context.Context) error
	// Strict refuses a document with fields that no parse call of the vendor has, without a
	// document, and with a pdf_url whose host has, at this moment, an address that is not public.
	Strict bool
	// Hash gets what the caller sent, in a form that is the same each time: the fields of a
	// form without the boundary, or the body itself. nil for no hash.
	Hash hash.Hash
}

// Answer is the vendor's answer to a UserCall.
type Answer struct {
	Status int
	Header http.Header // Content-Type and Retry-After
	Body   []byte
}

// CallError is an error of a UserCall that the vendor did not answer.
type CallError struct {
	Delivery Delivery
	Err      error // the caller's error
}

// Error returns the text of the caller's error.
func (e *CallError) Error() string { return e.Err.Error() }

// NotSent reports whether the vendor has got nothing, or not all.
func (e *CallError) NotSent() bool { return e.Delivery == NotSent }

// Unwrap returns the caller's error.
func (e *CallError) Unwrap() error { return e.Err }

// errNotOffered is returned for a UserCall of a feature that is not served.
var errNotOffered = fault.New(fault.Forbidden, "feature_not_offered", "This service does not offer that.")

// ParsePath is the path of the call that parses any account statement.
const ParsePath = "/v4/smart/parse"

// Call sends the body of r to the vendor for a user, within the same limits, pacing, budgets
// and deadlines as the calls of browsers, and returns the vendor's answer, whatever its
// status. The caller has authenticated the user and counted the call. w is only used for the
// deadlines of its connection. The error is a *CallError.
func (h *Handler) Call(w http.ResponseWriter, r *http.Request, u UserCall) (_ Answer, err error) {
	x := &exchange{Handler: h, feature: featureOther, began: time.Now(), id: u.RequestID, captured: u.Captures, before: u.Before, strict: u.Strict}
	x.token.Subject = u.Subject
	outcome := OutcomeAborted
	defer func() {
		x.endRecord(r.Context(), outcome, err)
		if h.Observe != nil {
			h.Observe(x.feature, outcome, time.Since(x.began))
		}
		if err != nil {
			err = &CallError{x.delivery(err), err}
		}
	}()
	answer := &memoryAnswer{under: w, header: http.Header{}}
	err = x.callFor(answer, r, u)
	if err == nil && answer.status == 0 {
		err = errUnreachable
	}
	outcome = outcomeOf(x.answered, err)
	return Answer{answer.status, answer.header, answer.body.Bytes()}, err
}

func (x *exchange) callFor(w *memoryAnswer, r *http.Request, u UserCall) error {
	sent, finish, err := x.accept(w, r, u)
	if err == nil && x.route.prepare != nil {
		err = x.route.prepare(x, sent)
	}
	if err == nil {
		err = x.passToMemory(w, sent)
	}
	if unhashed := finish(); err == nil {
		err = unhashed
	}
	if err != nil && x.route != nil && (!x.sent || x.document != nil && x.document.refused.Load()) {
		x.drain(w, r, r.Body)
	}
	return err
}

// accept finds the route of the call and checks the start of its document. It returns the
// request for the vendor, in which nothing of the caller's is left but the body and its
// type. The caller must call finish when it has read the body.
func (x *exchange) accept(w *memoryAnswer, r *http.Request, u UserCall) (sent *http.Request, finish func() error, err error) {
	finish = func() error { return nil }
	if sent, err = http.NewRequestWithContext(r.Context(), u.Method, u.Path, nil); err != nil {
		return nil, finish, errNoRoute.Because(err)
	}
	if x.route, x.resource, err = find(sent, u.Path, allFeatures); err != nil {
		return nil, finish, err
	}
	if _, err = x.Access.Admit(u.Subject); err != nil {
		return nil, finish, err
	}
	x.feature = x.route.feature
	if x.feature != Parse && !slices.Contains(x.Features, x.feature) {
		return nil, finish, errNotOffered.WithNotef("Add %s to gateway.features to offer it.", x.feature)
	}
	limit := x.route.maxBody(r)
	if r.ContentLength > limit {
		return nil, finish, &http.MaxBytesError{Limit: limit}
	}
	x.arriving = r.Body
	r.Body = http.MaxBytesReader(w, r.Body, limit) // also if it is only drained
	if err = httpapi.RefuseEncoding(r.Header); err != nil {
		return nil, finish, err
	}
	sent.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	sent.Body, sent.ContentLength = r.Body, r.ContentLength
	if !x.route.upload {
		return sent, finish, nil
	}
	if err = x.checkDocument(w, sent); err != nil || u.Hash == nil {
		return sent, finish, err
	}
	hashed := newHashedBody(sent, u.Hash)
	sent.Body = hashed
	return sent, hashed.finish, nil
}

// passToMemory is pass for a caller that needs the whole answer: one that broke off is an
// error.
func (x *exchange) passToMemory(w *memoryAnswer, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
				panic(p)
			}
			x.answered = OutcomeAborted
			err = errBadAnswer.Because(errIncomplete)
		}
	}()
	return x.pass(w, r)
}

// Check reads the whole body of r into memory of share. It returns a fault if Call would
// refuse it, and httpapi.ErrBodyMemory if there is no memory. Nothing is sent to the vendor.
func (h *Handler) Check(w http.ResponseWriter, r *http.Request, u UserCall, share *httpapi.BodyShare) ([]byte, error) {
	x := &exchange{Handler: h, strict: u.Strict}
	deadlines := &memoryAnswer{under: w}
	sent, finish, err := x.accept(deadlines, r, u)
	var body []byte
	if err == nil {
		if body, err = share.ReadAll(r.Context(), sent.Body, nil, x.route.maxBody(r)); err != nil {
			err = uploadError(err)
		}
	}
	if unhashed := finish(); err == nil {
		err = unhashed
	}
	if err != nil && x.route != nil {
		x.drain(deadlines, r, r.Body)
	}
	return body, err
}

// allFeatures are the features of calls that the broker makes itself.
var allFeatures = []string{Parse, ContractNote, Fetch, Generate}

// memoryAnswer is an http.ResponseWriter that holds the answer in memory. Its length is
// bounded by maxAnswer.
type memoryAnswer struct {
	under  http.ResponseWriter // has the deadlines; nil for none
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the header of the answer.
func (a *memoryAnswer) Header() http.Header { return a.header }

// WriteHeader sets the status.
func (a *memoryAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write adds p to the body.
func (a *memoryAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// Flush does nothing. It keeps an http.ResponseController from the caller's answer.
func (*memoryAnswer) Flush() {}

// SetReadDeadline sets the deadline of the caller's connection.
func (a *memoryAnswer) SetReadDeadline(t time.Time) error {
	if a.under == nil {
		return http.ErrNotSupported
	}
	return http.NewResponseController(a.under).SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of the caller's connection.
func (a *memoryAnswer) SetWriteDeadline(t time.Time) error {
	if a.under == nil {
		return http.ErrNotSupported
	}
	return http.NewResponseController(a.under).SetWriteDeadline(t)
}

// hashedBody is a body that is hashed while it is read. Its document is checked before.
type hashedBody struct {
	io.ReadCloser
	form *io.PipeWriter // gets a form; nil for another body
	read chan error     // gets why the form could not be read

	mu       sync.Mutex
	sum      hash.Hash
	finished bool // sum is no longer changed
}

// newHashedBody returns the body of r, hashed by sum.
func newHashedBody(r *http.Request, sum hash.Hash) *hashedBody {
	b := &hashedBody{ReadCloser: r.Body, sum: sum}
	media, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // checked before
	if media != "multipart/form-data" {
		return b
	}
	in, out := io.Pipe()
	b.form, b.read = out, make(chan error, 1)
	go func() {
		err := hashForm(multipart.NewReader(in, params["boundary"]), sum)
		_, _ = io.Copy(io.Discard, in) // what follows the form
		b.read <- err
	}()
	return b
}

// Read reads from the body.
func (b *hashedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.finished:
	case b.form == nil:
		b.sum.Write(p[:n])
	default:
		_, _ = b.form.Write(p[:n]) // the other end takes all
	}
	return n, err
}

// finish waits until all that was read is hashed. What is read later is not hashed.
func (b *hashedBody) finish() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.finished || b.form == nil {
		b.finished = true
		return nil
	}
	b.finished = true
	_ = b.form.Close()
	if err := <-b.read; err != nil {
		return errForm.Because(err)
	}
	return nil
}

// hashForm hashes the names and contents of the fields of a form, in their order.
func hashForm(form *multipart.Reader, sum hash.Hash) error {
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(sum, "%q\n", part.FormName())
		n, err := io.Copy(sum, part)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(sum, "\n%d\n", n)
	}
}

// Failures of documents of a strict call.
var (
	errNoDocument = fault.New(fault.Invalid, "no_document", "Send the statement as pdf_file (or file), or its address as pdf_url.")
	errOneOnly    = fault.New(fault.Invalid, "invalid_form", "Send pdf_file or pdf_url, not both.")
	errField      = fault.New(fault.Invalid, "unknown_field", "A statement has the fields pdf_file (or file) or pdf_url, and password; no others.")
)

// lookUpTimeout bounds how long the host of a pdf_url is looked up.
const lookUpTimeout = 3 * time.Second

// checkResolved returns errPDFURL unless text is the address of a file on a public server
// by its form, and all addresses of its host are public now. The vendor's own host need not
// be.
func (x *exchange) checkResolved(ctx context.Context, text string) error {
	if err := x.Vendor.checkPDFURL(text); err != nil {
		return err
	}
	host, own := x.Vendor.hostOf(text)
	if own {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	addresses, err := x.lookUp()(ctx, host)
	if err != nil || len(addresses) == 0 {
		return errPDFURL.Withf("The host of pdf_url cannot be found.").Because(err)
	}
	for _, a := range addresses {
		if !isPublicAddress(a) {
			return errPDFURL
		}
	}
	return nil
}

// ErrMedia is returned by Call for a body that is neither a form nor JSON.
var ErrMedia = httpapi.ErrMediaType.Withf("Send a form (multipart/form-data) or JSON (application/json).")
