package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// The headers that pass, besides those that package http sets itself, such as
// Content-Length.
var (
	requestHeaders = []string{"Content-Type", "Accept"}
	answerHeaders  = []string{"Content-Type", "Content-Length", "Retry-After"}
)

// rewrite makes the request for the vendor. Nothing of the caller's URL is in it.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	v := x.Vendor
	p.Out.URL = v.url(x.path(), x.query)
	p.Out.Host = v.base.Host
	p.Out.Trailer = nil
	p.Out.Header = only(requestHeaders, p.In.Header)
	p.Out.Header.Set("User-Agent", "casbroker")
	p.Out.Header.Set(httpapi.HeaderRequestID, x.id)
	x.injectTrace(p.Out.Context(), p.Out.Header)
	if key := x.call.key.Value; key != "" { // a parser on premises takes none
		p.Out.Header.Set("X-Api-Key", key.Reveal())
	}
	if x.inboxToken != "" {
		p.Out.Header.Set(headerInboxToken, x.inboxToken.Reveal())
	}
}

// path returns the path of the call at the vendor.
func (x *exchange) path() string { return strings.Replace(x.route.path, "{id}", x.resource, 1) }

var errBadAnswer = fault.New(fault.BadGateway, "upstream_bad_answer",
	"The statement service gave an unexpected answer; try again later.")

// checkAnswer decides whether an answer of the vendor is passed on, and removes from it
// what the caller must not see.
func (x *exchange) checkAnswer(res *http.Response) error {
	x.record.observe(res)
	answeredSpan(x.span, res)
	lostMailbox := isJSON(res) && x.lostMailbox(res) // the mailbox was refused, not the API key
	if lostMailbox {
		x.call.done(healthOK)
	} else if err := x.call.answered(res); err != nil {
		return err
	}
	switch {
	case lostMailbox:
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return x.call.refused(res.StatusCode)
	case res.StatusCode < 200, res.StatusCode >= 300 && res.StatusCode < 400:
		return errBadAnswer.Because(fmt.Errorf("HTTP %d", res.StatusCode))
	case !isJSON(res):
		return errBadAnswer.Because(fmt.Errorf("HTTP %d with the media type %q", res.StatusCode, res.Header.Get("Content-Type")))
	case res.ContentLength > maxAnswer:
		return errBadAnswer.Because(errTooLong)
	}
	switch {
	case res.StatusCode == http.StatusPaymentRequired:
		x.answered = OutcomeCredits
	case res.StatusCode >= 400:
		x.answered = OutcomeError
	default:
		x.answered = OutcomeOK
	}
	if x.inspect != nil {
		if err := x.inspectAnswer(res); err != nil {
			x.call.done(healthOfError(err))
			return err
		}
		x.call.done(healthOK)
	} else {
		res.Body = &judgedAnswer{ReadCloser: res.Body, exchange: x}
	}
	res.Header = only(answerHeaders, res.Header)
	res.Header.Set("Cache-Control", "no-store")
	res.Body = &boundedAnswer{ReadCloser: res.Body, left: maxAnswer}
	if x.answered == OutcomeOK && x.captures() {
		res.Body = x.capture(res.Body, res.ContentLength)
	}
	return nil
}

// judgedAnswer is an answer that is not read before the caller gets it. Once it is closed, what
// was read says how the vendor does.
type judgedAnswer struct {
	io.ReadCloser
	exchange *exchange
}

// Close closes the answer.
func (a *judgedAnswer) Close() error {
	a.exchange.call.done(a.exchange.record.health())
	return a.ReadCloser.Close()
}

// only returns the first value of each of names in header.
func only(names []string, header http.Header) http.Header {
	kept := make(http.Header, len(names)+3)
	for _, name := range names {
		if value := header.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	return kept
}

// boundedAnswer is a body that fails when it is longer than left bytes.
type boundedAnswer struct {
	io.ReadCloser
	left int64
}

// Read reads from the body.
func (b *boundedAnswer) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errors.Join(errTooLong, err)
	}
	return n, err
}
