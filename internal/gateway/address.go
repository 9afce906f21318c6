package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
	"casbroker/internal/netaddr"
	"casbroker/internal/secret"
)

// maxAddresses is how many forwarding addresses a user may have. A list asks the vendor for
// each, and the account has 60 requests a minute.
const maxAddresses = 10

var (
	errCallback = fault.New(fault.Invalid, "callback_not_allowed",
		"callback_url must be an https address of this app.").
		WithNotef("Add its host to gateway.callback_hosts to allow it.")
	errManyAddresses = fault.New(fault.Invalid, "too_many_addresses",
		"You have too many forwarding addresses; delete one first.")
)

// addressRequest is the body of a call that makes a forwarding address, as far as it is
// passed on.
type addressRequest struct {
	Alias          string         `json:"alias,omitempty"`
	Reference      string         `json:"reference,omitempty"`
	CallbackURL    string         `json:"callback_url,omitempty"`
	AllowedSources jsontext.Value `json:"allowed_sources,omitempty"`
	Metadata       jsontext.Value `json:"metadata,omitempty"`
}

// createAddress makes a forwarding address, which is the caller's.
func (x *exchange) createAddress(r *http.Request) error {
	var req addressRequest
	if err := readRequest(r, &req); err != nil {
		return err
	}
	if req.CallbackURL != "" {
		u, ok := allowedURL(req.CallbackURL, x.CallbackHosts)
		if !ok {
			return errCallback
		}
		req.CallbackURL = u.String()
	}
	own, err := x.Owned.Resources(r.Context(), x.token.Subject, Address)
	if err != nil {
		return err
	}
	if len(own) >= maxAddresses {
		if own, err = x.existing(r.Context(), own); err != nil { // removes those that have expired
			return err
		}
		if len(own) >= maxAddresses {
			return errManyAddresses
		}
	}
	req.Reference = x.Reference(x.token.Subject)
	if req.CallbackURL == "" {
		req.CallbackURL = x.newCallback(r.Host)
	}
	x.inspect = func(ctx context.Context, a *smallAnswer) error { return x.claimAddress(ctx, r.Host, a) }
	return replaceRequest(r, req)
}

// minCallbackTTL is how long an address lives at least that has a callback. The vendor
// gives it 48 hours, and 30 minutes to one without.
const minCallbackTTL = time.Hour

// claimAddress stores that a new address is the caller's. If it cannot, the address is
// deleted.
func (x *exchange) claimAddress(ctx context.Context, host string, a *smallAnswer) error {
	var made struct {
		ID        string         `json:"inbound_email_id"`
		ExpiresIn jsontext.Value `json:"expires_in"`
	}
	if a.failed() || a.decode(&made) != nil || made.ID == "" {
		return nil // the vendor may report a failure with 200
	}
	if ttl, err := strconv.ParseFloat(string(made.ExpiresIn), 64); err == nil && ttl < minCallbackTTL.Seconds() {
		x.callbackSecret = "" // the vendor has not taken the callback, so it must be asked often
	}
	err := x.claim(ctx, Address, made.ID)
	if err != nil && !errors.Is(err, errBadAnswer) {
		x.keyName = x.call.key.Name
		_, _ = x.ask(context.WithoutCancel(ctx), http.MethodDelete, addressPath(made.ID))
	}
	a.body = x.hideCallback(host, a.body)
	return err
}

// newCallback returns a URL of the broker at which the vendor can report the files of a new
// address, "" if it cannot reach the broker. host is that of the request.
func (x *exchange) newCallback(host string) string {
	base := x.Mail.callbackURL(host)
	if base == "" {
		return ""
	}
	x.callbackSecret = secret.Text(randomText())
	return base + "/" + x.callbackSecret.Reveal()
}

// hideCallback returns the address in body, a JSON object of the vendor, without the
// broker's callback URL: whoever knows it can report files. A URL that the page has chosen
// itself stays.
func (x *exchange) hideCallback(host string, body []byte) []byte {
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members) != nil {
		return body // it has no callback_url that a page could read
	}
	text := memberText(members, "callback_url")
	_, chosen := allowedURL(text, x.CallbackHosts)
	base := x.Mail.callbackURL(host)
	if text == "" || chosen && (base == "" || !strings.HasPrefix(text, base+"/")) {
		return body
	}
	members["callback_url"] = jsontext.Value("null")
	shown, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return []byte("{}")
	}
	return shown
}

// addressPath returns the path of a forwarding address.
func addressPath(id string) string { return "/v4/inbound-email/" + id }

// useAddress makes a call about an address of the caller. One that has expired at the vendor
// is released.
func (x *exchange) useAddress(r *http.Request) error {
	x.inspect = func(ctx context.Context, a *smallAnswer) error {
		a.body = x.hideCallback(r.Host, a.body)
		if a.status != http.StatusNotFound {
			return nil
		}
		return x.release(ctx)
	}
	return x.own(r.Context(), Address, ErrNoAddress)
}

// deleteAddress deletes an address of the caller.
func (x *exchange) deleteAddress(r *http.Request) error {
	x.inspect = func(ctx context.Context, a *smallAnswer) error {
		if a.failed() && a.status != http.StatusNotFound {
			return nil
		}
		return x.release(ctx)
	}
	return x.own(r.Context(), Address, ErrNoAddress)
}

// allowedURL returns the URL in text if its host is one of hosts, and its scheme is https,
// or http on this machine.
func allowedURL(text string, hosts []string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || u.Fragment != "" || !slices.Contains(hosts, strings.ToLower(u.Host)) {
		return nil, false
	}
	return u, u.Scheme == "https" || u.Scheme == "http" && netaddr.IsLoopback(u.Host)
}

// NewReference returns a function that returns the reference of a user at the vendor. It
// says nothing about the user; digest returns a keyed hash.
func NewReference(digest func(purpose string, data []byte) []byte) func(subject string) string {
	return func(subject string) string {
		return "user_" + base64.RawURLEncoding.EncodeToString(digest("gateway/reference", []byte(subject)))
	}
}
