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

// callbackTries is how often a callback is sent before it is given up.
const callbackTries = 4

var errNotLoopback = errors.New("not a loopback address")

// loopbackClient makes the client that sends callbacks. It connects only to
// this machine, whatever a name resolves to, and follows no redirects.
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

// delivery tells what became of a mail.
type delivery struct {
	Status   string   `json:"status"`
	File     mailFile `json:"file"`
	Callback string   `json:"callback"` // "none", "delivered", "failed" or "skipped"
	Attempts int      `json:"attempts"`
}

// deliver is a control call: a mail arrives at an address. Its callback, when
// it leads to this machine, is sent before the call returns.
func (s *Sandbox) deliver(r *http.Request) (reply, error) {
	req := struct {
		Source source `json:"source"`
		From   string `json:"from"`
	}{cdsl, "investor@mail.example"}
	if err := readJSON(r, &req); err != nil {
		return reply{}, err
	}
	a, found := s.addresses.get(r.PathValue("id"))
	if !found {
		return reply{}, missing("Inbound email")
	}
	if !isSource(string(req.Source)) ||
		(len(a.AllowedSources) > 0 && !slices.Contains(a.AllowedSources, string(req.Source))) {
		return reply{}, &refusal{status: http.StatusUnprocessableEntity, msg: "The address takes no mail from this source"}
	}
	out, err := s.receive(a, req.Source, s.baseURL(r))
	if err != nil {
		return reply{}, err
	}
	out.Callback, out.Attempts = s.callBack(r.Context(), a, req.From, out.File)
	return ok(out)
}

// receive charges for a mail and puts it where the address's owner finds it.
func (s *Sandbox) receive(a address, src source, base string) (delivery, error) {
	const price credit = 2
	if !a.account.spend(price) {
		return delivery{}, errNoCredits
	}
	life := pulledFileLife
	if a.CallbackURL != "" {
		life = pushedFileLife
	}
	m := s.mailed(base, newID("msg_"), src, s.opts.Now(), life)
	full := false
	kept := s.addresses.change(a.ID, func(a *address) {
		if full = len(a.mails) >= maxAddressFile; !full {
			a.mails = append(slices.Clip(a.mails), m)
		}
	})
	switch {
	case !kept:
		a.account.refund(price)
		return delivery{}, missing("Inbound email")
	case full:
		a.account.refund(price)
		return delivery{}, &refusal{status: http.StatusUnprocessableEntity, msg: "The address is full"}
	}
	return delivery{Status: "success", File: m}, nil
}

// callBack posts m to the address's callback URL, again and again with growing
// pauses until it is taken, and returns what came of it and the attempts made.
func (s *Sandbox) callBack(ctx context.Context, a address, from string, m mailFile) (outcome string, attempts int) {
	u, err := url.Parse(a.CallbackURL)
	switch {
	case a.CallbackURL == "":
		return "none", 0
	case err != nil || !onThisMachine(u):
		return "skipped", 0
	}
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
	for n := 1; n <= callbackTries; n++ {
		if s.post(ctx, a.CallbackURL, body) == nil {
			return "delivered", n
		}
		if n == callbackTries || wait(ctx, pause) != nil {
			return "failed", n
		}
		pause *= 2
	}
	return "failed", callbackTries
}

func (s *Sandbox) post(ctx context.Context, to string, body []byte) error {
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
