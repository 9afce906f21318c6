package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/credit"
	"casbroker/internal/fault"
)

// Calls records the calls that cost credits or make something, and refuses those that no
// budget allows.
type Calls interface {
	// Begin records a call before the vendor gets it, and returns its id. What it has
	// recorded survives the end of the process. It returns a fault if the call must not be
	// made.
	Begin(ctx context.Context, c Call) (id string, err error)
	// End records how the call ended. If it fails, the call is settled later.
	End(ctx context.Context, id string, r CallResult) error
}

// Call is a call that is about to be made.
type Call struct {
	Subject   string
	GrantID   string
	RequestID string
	Feature   string // as the vendor's usage names it
	Price     credit.Amount
}

// CallResult is how a call ended.
type CallResult struct {
	Outcome  string // one of the outcomes
	Reason   string // the code of the failure, as the caller got it; "" without one
	KeyName  string // of the API key
	Delivery Delivery
	Used     credit.Amount // 0 unless Delivery is Answered
}

// Delivery says what became of a call at the vendor.
type Delivery string

// The deliveries. Those of package budget have the same names.
const (
	NotSent  Delivery = "not_sent" // the vendor did not get it, or not as a whole
	Answered Delivery = "answered" // the vendor said whether it costs credits
	Rejected Delivery = "rejected" // the vendor refused the API key, for its rate or its credits too
	Unknown  Delivery = "unknown"  // it was sent, and there is no answer
)

// charge is what the vendor's documents say about a call.
type charge struct {
	feature  string        // in the vendor's usage
	price    credit.Amount // of a call that succeeds
	onFailed bool          // a call that fails costs as much
}

// charges has the calls that are recorded, by the path of their route.
var charges = map[string]charge{
	"/v4/smart/parse":            {feature: "smart_parser", price: credit.One},
	"/v4/cdsl/parse":             {feature: "cdsl_cas_parser", price: credit.One},
	"/v4/nsdl/parse":             {feature: "nsdl_cas_parser", price: credit.One},
	"/v4/cams_kfintech/parse":    {feature: "cams_kfintech_cas_parser", price: credit.One},
	"/v4/contract_note/parse":    {feature: "contract_note_parser", price: credit.One / 2},
	"/v4/generate":               {feature: "kfintech_cas_generator", price: credit.One / 2},
	"/v4/kfintech/generate":      {feature: "kfintech_cas_generator", price: credit.One / 2},
	"/v4/cdsl/fetch":             {feature: "cdsl_cas_fetch"},
	"/v4/cdsl/fetch/{id}/verify": {feature: "cdsl_cas_fetch", price: credit.One / 2},
	"/v4/inbox/connect":          {feature: "inbox_connect"},
	"/v4/inbox/cas":              {feature: "inbox_pull", price: credit.One / 5, onFailed: true},
	"POST /v4/inbound-email":     {feature: "inbound_email"},
}

// charge returns what is known of the call's price, false if it is not recorded.
func (rt *route) charge() (charge, bool) {
	c, ok := charges[rt.path]
	if !ok {
		c, ok = charges[rt.method+" "+rt.path]
	}
	return c, ok
}

// record is what is learned about a recorded call until it ends.
type record struct {
	id     string // "" for a call that is not recorded
	charge charge

	wrote    atomic.Bool // the vendor has a part of the request
	received atomic.Bool // the whole body of the request was read
	status   int         // of the vendor's answer; 0 without one
	used     credit.Amount
	said     bool // used is the vendor's word
	first    []byte
	whole    bool // first is the whole answer
	ended    bool // the whole answer was read
}

// start records the call and takes an API key for it.
func (x *exchange) start(ctx context.Context) (err error) {
	if err := x.beginRecord(ctx); err != nil {
		return err
	}
	if x.call, err = x.begin(ctx); err != nil || x.before == nil {
		return err
	}
	if err = x.before(ctx); err != nil {
		x.call.done(healthCanceled)
	}
	return err
}

// beginRecord records the call, if it is one that is recorded.
func (x *exchange) beginRecord(ctx context.Context) error {
	c, recorded := x.route.charge()
	if !recorded || x.Calls == nil {
		return nil
	}
	if x.OnPremise {
		c.price = 0
	}
	id, err := x.Calls.Begin(context.WithoutCancel(ctx), Call{
		Subject: x.token.Subject, GrantID: x.token.GrantID, RequestID: x.id, Feature: c.feature, Price: c.price,
	})
	if err != nil {
		return err
	}
	x.record.id, x.record.charge = id, c
	x.settling.Add(1)
	return nil
}

// endRecord settles the call in the background, so that the caller's answer is not delayed.
// err is what the caller got instead of an answer.
func (x *exchange) endRecord(ctx context.Context, outcome string, err error) {
	if x.record.id == "" {
		return
	}
	h, callID, r := x.Handler, x.record.id, x.result(outcome, err)
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer h.settling.Done()
		if err := h.Calls.End(ctx, callID, r); err != nil {
			h.Log.WarnContext(ctx, "a call is not settled yet", "call", callID, "error", err)
		}
	}()
}

// Close waits until the ends of all calls are recorded.
func (h *Handler) Close() { h.settling.Wait() }

// result returns how the call ended.
func (x *exchange) result(outcome string, err error) CallResult {
	rec := &x.record
	r := CallResult{Outcome: outcome, Delivery: x.delivery(err)}
	if x.call != nil && r.Delivery != NotSent {
		r.KeyName = x.call.key.Name
	}
	if outcome == OutcomeAborted && rec.ended { // only the caller did not get it all
		r.Outcome = x.answered
	}
	code, failed := rec.failure()
	if failed && r.Outcome == OutcomeOK { // the vendor may report a failure with 200
		r.Outcome = OutcomeError
	}
	if r.Delivery == Answered {
		switch {
		case rec.said && !x.OnPremise:
			r.Used = rec.used
		case !failed, rec.charge.onFailed:
			r.Used = rec.charge.price
		}
	}
	r.Reason = code
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		r.Reason = strings.ToUpper(f.Code)
	}
	return r
}

// delivery returns what became of the call at the vendor.
func (x *exchange) delivery(err error) Delivery {
	rec := &x.record
	switch {
	case rec.status == http.StatusUnauthorized && x.answered == "", // not the mailbox was refused
		rec.status == http.StatusPaymentRequired, rec.status == http.StatusForbidden, rec.status == http.StatusTooManyRequests:
		return Rejected
	case rec.status != 0:
		return Answered
	case !rec.wrote.Load():
		return NotSent
	case !rec.received.Load() && err != nil: // the vendor cannot use a part of a body
		return NotSent
	default:
		return Unknown
	}
}

// observe notes what an answer says about the call.
func (rec *record) observe(res *http.Response) {
	rec.status = res.StatusCode
	used, err := credit.Parse(res.Header.Get("X-Credits-Used"))
	rec.used, rec.said = used, err == nil
	if isJSON(res) {
		res.Body = &watchedAnswer{ReadCloser: res.Body, record: rec}
	}
}

// maxFirst is how much of an answer is kept to find the reason of a failure, in bytes.
const maxFirst = 2 << 10

// watchedAnswer is an answer that is noted in a record while it is read.
type watchedAnswer struct {
	io.ReadCloser
	record *record
}

// Read reads from the answer.
func (a *watchedAnswer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	rec := a.record
	if len(rec.first) <= maxFirst {
		rec.first = append(rec.first, p[:min(n, maxFirst+1-len(rec.first))]...)
	}
	rec.ended = rec.ended || errors.Is(err, io.EOF)
	rec.whole = rec.ended && len(rec.first) <= maxFirst
	return n, err
}

// health returns what the part of a success that was read says of the vendor. What is not the
// beginning of a JSON object or array, or is short and not JSON, is not an answer of its API.
func (rec *record) health() string {
	first := bytes.TrimLeft(rec.first, " \t\r\n")
	switch {
	case len(first) > 0 && first[0] != '{' && first[0] != '[', rec.whole && !jsontext.Value(rec.first).IsValid():
		return healthBadAnswer
	case len(first) == 0 && len(rec.first) > maxFirst:
		return healthBadAnswer
	case len(first) == 0:
		return healthCanceled
	default:
		return healthOK
	}
}

// codePattern is the form of the vendor's codes.
var codePattern = regexp.MustCompile(`^[A-Za-z_]{1,64}$`)

// failure returns the code of the failure that the answer reports, false if it reports
// none.
func (rec *record) failure() (code string, failed bool) {
	var answer struct {
		Status string `json:"status"`
		Msg    string `json:"msg"`
		Code   string `json:"code"`
	}
	readable := rec.whole && json.Unmarshal(rec.first, &answer) == nil
	switch failed = rec.status >= 300; {
	case readable && (answer.Status == "failed" || answer.Status == "error"):
		failed = true
	case !failed:
		return "", false
	}
	switch {
	case readable && codePattern.MatchString(answer.Code):
		code = strings.ToUpper(answer.Code)
	case readable && strings.Contains(strings.ToLower(answer.Msg), "password"):
		code = "INVALID_PASSWORD" // as the widget recognizes it
	case rec.status >= 300:
		code = strings.ToUpper(strings.ReplaceAll(http.StatusText(rec.status), " ", "_"))
	}
	return code, failed
}

type wroteKey struct{}

// watchSending returns a context with which Vendor.transport sets rec.wrote once it sends.
func (rec *record) watchSending(ctx context.Context) context.Context {
	return context.WithValue(ctx, wroteKey{}, &rec.wrote)
}

// traceSending returns ctx, in which the flag that from carries is set once the request is
// sent.
func traceSending(ctx, from context.Context) context.Context {
	wrote, ok := from.Value(wroteKey{}).(*atomic.Bool)
	if !ok {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
}
