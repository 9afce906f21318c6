package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
	"casbroker/internal/netaddr"
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
	x.inspect = x.claimAddress
	return replaceRequest(r, req)
}

// claimAddress stores that a new address is the caller's. If it cannot, the address is
// deleted.
func (x *exchange) claimAddress(ctx context.Context, a *smallAnswer) error {
	var made struct {
		ID string `json:"inbound_email_id"`
	}
	if a.failed() || a.decode(&made) != nil || made.ID == "" {
		return nil // the vendor may report a failure with 200
	}
	err := x.claim(ctx, Address, made.ID)
	if err != nil && !errors.Is(err, errBadAnswer) {
		_, _ = x.ask(context.WithoutCancel(ctx), http.MethodDelete, addressPath(made.ID))
	}
	return err
}

// addressPath returns the path of a forwarding address.
func addressPath(id string) string { return "/v4/inbound-email/" + id }

// useAddress makes a call about an address of the caller.
func (x *exchange) useAddress(r *http.Request) error {
	return x.own(r.Context(), Address, errNoAddress)
}

// pollAddress asks for the files of an address of the caller.
func (x *exchange) pollAddress(r *http.Request) error {
	query := r.URL.Query()
	x.query = url.Values{}
	for _, name := range []string{"since", "limit"} {
		if query.Has(name) {
			x.query.Set(name, query.Get(name))
		}
	}
	return x.own(r.Context(), Address, errNoAddress)
}

// deleteAddress deletes an address of the caller.
func (x *exchange) deleteAddress(r *http.Request) error {
	x.inspect = func(ctx context.Context, a *smallAnswer) error {
		if a.failed() && a.status != http.StatusNotFound {
			return nil
		}
		return x.Owned.ReleaseResource(context.WithoutCancel(ctx), Address, x.resource)
	}
	return x.own(r.Context(), Address, errNoAddress)
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
