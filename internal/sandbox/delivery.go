package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// maxCallbackTries is the number of attempts to send a callback.
const maxCallbackTries = 4

var errNotLoopback = errors.New("not a loopback address")

// loopbackClient returns the client that sends callbacks. It connects only to
// loopback addresses, whatever a name resolves to, and follows no redirects.
func loopbackClient() *http.Client {
	d := &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		if ap, err := netip.ParseAddrPort(address); err != nil || !ap.Addr().Unmap().IsLoopback() {
			return errNotLoopback
		}
		return nil
	}}
	return &http.Client{
		Timeout:       5 * time.Second,
		Transport:     &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// delivery is the answer of deliver.
type delivery struct {
	Status   string   `json:"status"`
	File     mailFile `json:"file"`
	Callback string   `json:"callback"` // "none", "delivered", "failed" or "skipped"
	Attempts int      `json:"attempts"`
}

// deliver is a control call that makes a mail arrive at an address. It sends the
// address's callback before it returns.
func (s *Sandbox) deliver(r *http.Request) (reply, error) {
	req := struct {
		Source   source `json:"source"`
		From     string `json:"from"`
		Investor string `json:"investor"` // persona id
	}{Source: cdsl, From: "investor@mail.example"}
	if err := readJSON(r, &req); err != nil {
		return reply{}, err
	}
	if _, known := personaByID(req.Investor); !known && req.Investor != "" {
		return reply{}, errNoPersona
	}
	a, found := s.addresses.get(r.PathValue("id"))
	if !found || !s.opts.Now().Before(a.expires) {
		return reply{}, notFound("Inbound email")
	}
	if !isSource(string(req.Source)) ||
		(len(a.AllowedSources) > 0 && !slices.Contains(a.AllowedSources, string(req.Source))) {
		return reply{}, &apiError{status: http.StatusUnprocessableEntity, msg: "The address takes no mail from this source"}
	}
	out, err := s.arrive(r, a, content{req.Source, req.Investor}, req.From, s.baseURL(r))
	if err != nil {
		return reply{}, err
	}
	return ok(out)
}

// arrive makes a mail from this sender arrive at an address: it charges for it, and sends
// the address's callback before it returns.
func (s *Sandbox) arrive(r *http.Request, a address, c content, from, base string) (delivery, error) {
	out, err := s.addMail(a, c, base)
	if err != nil {
		return delivery{}, err
	}
	a.account.record(usage{
		Timestamp: s.opts.Now().UTC(), Feature: inboundEmail, Path: "/v4/inbound-email/" + a.ID, StatusCode: http.StatusOK,
		Credits: mailPrice, RequestID: newID("req_"),
	})
	out.Callback, out.Attempts = s.sendCallback(r.Context(), a, from, out.File)
	return out, nil
}

// addMail charges for a mail with this statement and adds it to the address.
func (s *Sandbox) addMail(a address, c content, base string) (delivery, error) {
	if !a.account.spend(mailPrice) {
		return delivery{}, errNoCredits
	}
	now := s.opts.Now()
	m := s.addMailFile(base, newID("msg_"), c, now, a.ttl())
	full := false
	found := s.addresses.change(a.ID, func(a *address) {
		if full = len(a.mails) >= maxMails; !full {
			at := a.nextMailTime(now)
			m.ReceivedAt = at.Format(timestamp)
			a.mails = append(slices.Clip(a.mails), receivedMail{at, m})
		}
	})
	switch {
	case !found:
		a.account.refund(mailPrice)
		return delivery{}, notFound("Inbound email")
	case full:
		a.account.refund(mailPrice)
		return delivery{}, &apiError{status: http.StatusUnprocessableEntity, msg: "The address is full"}
	}
	return delivery{Status: "success", File: m}, nil
}

// nextMailTime returns the time of a mail that arrives now. No two mails of an address
// have the same one, as a cursor could not tell them apart.
func (a *address) nextMailTime(now time.Time) time.Time {
	at := now.UTC().Truncate(time.Microsecond)
	if n := len(a.mails); n > 0 && !at.After(a.mails[n-1].at) {
		at = a.mails[n-1].at.Add(time.Microsecond)
	}
	return at
}

// sendCallback posts m to the address's callback URL and retries, with doubling
// pauses, until the answer is 2xx. It returns the values of delivery.Callback and
// delivery.Attempts.
func (s *Sandbox) sendCallback(ctx context.Context, a address, from string, m mailFile) (result string, attempts int) {
	u, err := url.Parse(a.CallbackURL)
	switch {
	case a.CallbackURL == "":
		return "none", 0
	case err != nil || !isLoopbackURL(u):
		return "skipped", 0
	}
	m.ReceivedAt = "" // not in a callback
	body, err := json.Marshal(struct {
		ID          string            `json:"inbound_email_id"`
		ForwardedBy string            `json:"forwarded_by"`
		Reference   *string           `json:"reference"`
		Metadata    map[string]string `json:"metadata"`
		Files       []mailFile        `json:"files"`
		Count       int               `json:"count"`
	}{a.ID, from, a.Reference, a.Metadata, []mailFile{m}, 1})
	if err != nil {
		return "failed", 0
	}
	pause := s.opts.CallbackWait
	for n := 1; n <= maxCallbackTries; n++ {
		if s.postCallback(ctx, a.CallbackURL, body) == nil {
			return "delivered", n
		}
		if n == maxCallbackTries || wait(ctx, pause) != nil {
			return "failed", n
		}
		pause *= 2
	}
	return "failed", maxCallbackTries
}

func (s *Sandbox) postCallback(ctx context.Context, to string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make callback: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.callbacks.Do(req)
	if err != nil {
		return fmt.Errorf("send callback: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("callback answered %d", resp.StatusCode)
	}
	return nil
}
