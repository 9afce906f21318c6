package webhook

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"casbroker/internal/tracing"
)

const (
	// tryTimeout bounds one try, from the connection to the last byte of the answer.
	tryTimeout = 10 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 16 << 10
	// maxHeaders is the greatest size of an answer's header.
	maxHeaders = 16 << 10
)

// Reasons why a try failed without an answer, and what is wrong with an answer.
const (
	ErrorTimeout     = "timeout"
	ErrorUnreachable = "unreachable"
	ErrorAddress     = "address_not_allowed"
	ErrorStatus      = "status" // another one than 2xx
	ErrorRedirect    = "redirect"
	ErrorGone        = "gone" // 410
	ErrorEndpoint    = "invalid_endpoint"
)

// errAddress is returned for a connection to an address that is not public and not allowed.
var errAddress = errors.New("the address is not public, and webhooks.allow_private does not list it")

// Result is the result of one try.
type Result struct {
	Status     int           // of the answer; 0 without one
	Error      string        // "" for success
	RetryAfter time.Duration // that the answer asked for; 0 if it did not
	Took       time.Duration
}

// OK reports whether the receiver has taken the event.
func (r Result) OK() bool { return r.Error == "" }

// Sender sends events. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	now    func() time.Time
}

// NewSender returns a Sender that connects to public addresses, and to those that are
// allowed. Redirects are not followed, and no proxy is used, since it would resolve names
// by itself.
func NewSender(allowed Allowed, now func() time.Time) *Sender {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			// It is called with each resolved address, right before the connection is made.
			d := net.Dialer{Timeout: tryTimeout, Control: func(_, address string, _ syscall.RawConn) error {
				to, err := netip.ParseAddrPort(address)
				if err != nil || !allowed.permits(host, to.Addr()) {
					return errAddress
				}
				return nil
			}}
			return d.DialContext(ctx, network, address)
		},
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    tryTimeout,
		MaxIdleConnsPerHost:    perEndpoint,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxHeaders,
	}
	return &Sender{now: now, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes the idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send sends m to e once.
func (s *Sender) Send(ctx context.Context, e Endpoint, m Message) (Result, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return Result{}, fmt.Errorf("encode an event: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return Result{}, errors.New("the URL of the endpoint cannot be used") // the cause has the URL
	}
	signature, err := sign(e, m.ID, s.now(), body)
	if err != nil {
		return Result{}, err
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"casbroker"},
		"Webhook-Id": {m.ID}, "Webhook-Timestamp": {strconv.FormatInt(s.now().Unix(), 10)}, "Webhook-Signature": {signature},
	}
	tracing.Inject(ctx, req.Header)
	began := time.Now()
	res, err := s.client.Do(req)
	if err != nil {
		return Result{Error: failure(err), Took: time.Since(began)}, nil
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // so the connection can be used again
	return Result{
		Status: res.StatusCode, Error: judge(res.StatusCode), RetryAfter: retryAfter(res.Header.Get("Retry-After"), s.now()), Took: time.Since(began),
	}, nil
}

// sign returns the signatures of an event, separated by spaces.
func sign(e Endpoint, id string, at time.Time, body []byte) (string, error) {
	list := make([]string, 0, len(e.Secrets)+1)
	for _, text := range e.Secrets {
		key, err := decodeSecret(text)
		if err != nil {
			return "", err
		}
		w, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return "", err
		}
		signature, err := w.Sign(id, at, body)
		if err != nil {
			return "", err
		}
		list = append(list, signature)
	}
	if e.Ed25519 != "" { // which the library does not have
		key, err := decodeEd25519(e.Ed25519)
		if err != nil {
			return "", err
		}
		signed := ed25519.Sign(key, fmt.Appendf(nil, "%s.%d.%s", id, at.Unix(), body))
		list = append(list, "v1a,"+base64.StdEncoding.EncodeToString(signed))
	}
	return strings.Join(list, " "), nil
}

// failure returns the reason why there is no answer.
func failure(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, errAddress):
		return ErrorAddress
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return ErrorTimeout
	default:
		return ErrorUnreachable
	}
}

// judge returns what is wrong with an answer, "" if nothing is.
func judge(status int) string {
	switch {
	case status/100 == 2:
		return ""
	case status == http.StatusGone:
		return ErrorGone
	case status/100 == 3:
		return ErrorRedirect
	default:
		return ErrorStatus
	}
}

// retryAfter reads the header of that name: seconds or a time; 0 if it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(giveUpAfter.Seconds()))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), giveUpAfter)
	}
	return 0
}
