package gateway

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// The vendor's inbox token opens the investor's mailbox, and does not expire. It never
// reaches a browser: the vendor sends it to the gateway, which stores it sealed and gives
// the page a handle instead. A handle works only with a token of the same user.
//
//	page ── connect ──▶ gateway ── connect, with the gateway's address and a state ──▶ vendor
//	page ── the user's consent at the mail provider ──▶ vendor
//	vendor ── redirect with inbox_token and the state ──▶ gateway ── redirect with a handle ──▶ page
//
// Only the browser that gave the consent learns the handle, so whoever made it follow a
// link gains nothing. The page itself must check the state that it gets back.

const (
	headerInboxToken = "X-Inbox-Token" //nolint:gosec // a header, not a token
	handlePrefix     = "ibt_"
	callbackPath     = "/inbox/callback"
	// connectionTTL is how long a user may take to consent. The vendor's limit is about 10
	// minutes.
	connectionTTL = 20 * time.Minute
)

// Connection is a connection of a mailbox that waits for the user's consent.
type Connection struct {
	Subject     string
	RedirectURI string // of the page
	State       string // of the page
	KeyName     string // of the API key that it was begun with; "" if it is not known
	ExpiresAt   time.Time
}

// ConnectedMailbox is a mailbox of a user.
type ConnectedMailbox struct {
	Subject string
	Token   secret.Text // the vendor's
	KeyName string      // as that of Connection
}

// Mailboxes stores connections and mailboxes. Handles and states are stored as keyed
// hashes, tokens and addresses sealed.
type Mailboxes interface {
	// BeginConnection stores c, which EndConnection finds by state.
	BeginConnection(ctx context.Context, state string, c Connection, now time.Time) error
	// EndConnection removes the connection with state and returns it. If token is not "", it
	// stores the mailbox, which Mailbox finds by handle, and an audit record. It returns
	// ErrNoConnection if there is no connection with state, or if that has expired.
	EndConnection(ctx context.Context, state, handle string, token secret.Text, now time.Time) (Connection, error)
	// Mailbox returns the mailbox of handle. It returns the zero ConnectedMailbox if there
	// is none.
	Mailbox(ctx context.Context, handle string) (ConnectedMailbox, error)
	// DeleteMailbox removes the mailbox of handle and stores r.
	DeleteMailbox(ctx context.Context, handle string, r audit.Record) error
}

var (
	// ErrNoConnection is returned for the end of a connection that is not known.
	ErrNoConnection = fault.New(fault.Invalid, "no_connection",
		"This connection of a mailbox has expired or was completed before; connect the mailbox again.")

	errRedirect = fault.New(fault.Invalid, "redirect_not_allowed",
		"redirect_uri is required and must be an https address of this app.").
		WithNotef("Add its host to gateway.redirect_hosts to allow it.")
	errNoMailbox = fault.New(fault.Unauthenticated, "inbox_not_connected",
		"This mailbox is not connected; connect it again.")
)

// connectRequest is the body of a call that connects a mailbox.
type connectRequest struct {
	RedirectURI string `json:"redirect_uri"`
	State       string `json:"state"`
	Provider    string `json:"provider,omitempty"`
}

// connectInbox puts the gateway's address and a state of its own in.
func (x *exchange) connectInbox(r *http.Request) error {
	var req connectRequest
	if err := readRequest(r, &req); err != nil {
		return err
	}
	u, ok := allowedURL(req.RedirectURI, x.RedirectHosts)
	if !ok {
		return errRedirect
	}
	now := x.Now()
	c := Connection{Subject: x.token.Subject, RedirectURI: u.String(), State: req.State, ExpiresAt: now.Add(connectionTTL)}
	state := randomText()
	x.inspect = func(ctx context.Context, a *smallAnswer) error {
		if a.failed() {
			return nil
		}
		c.KeyName = x.call.key.Name
		return x.Owned.BeginConnection(context.WithoutCancel(ctx), state, c, now)
	}
	req.RedirectURI, req.State = x.URL(r.Host)+callbackPath, state
	return replaceRequest(r, req)
}

// randomText returns 43 letters, digits, "-" and "_" that cannot be guessed.
func randomText() string {
	return base64.RawURLEncoding.EncodeToString([]byte(secret.RandomKey().Reveal()))
}

// isCallback reports whether a request is the end of a connection.
func (h *Handler) isCallback(r *http.Request, path string) bool {
	return r.Method == http.MethodGet && path == callbackPath && slices.Contains(h.Features, Inbox)
}

var (
	errorPattern = regexp.MustCompile(`^[a-z_]{1,64}$`)
	tokenPattern = regexp.MustCompile(`^[!-~]+$`) // what a header can have
)

// finishConnection answers the browser that comes back from the vendor. The state says
// whose connection it is.
func (h *Handler) finishConnection(w http.ResponseWriter, r *http.Request) error {
	// The address has the vendor's token and must not become known.
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	query := r.URL.Query()
	state, token, failure := query.Get("state"), query.Get("inbox_token"), query.Get("error")
	if len(state) != len(randomText()) {
		return ErrNoConnection
	}
	handle, back := "", url.Values{}
	switch {
	case failure == "" && tokenPattern.MatchString(token):
		handle = handlePrefix + randomText()
		back.Set("inbox_token", handle)
		back.Set("email", query.Get("email"))
	case errorPattern.MatchString(failure):
		back.Set("error", failure)
	default:
		back.Set("error", "server_error")
	}
	if handle == "" {
		token = ""
	}
	c, err := h.Owned.EndConnection(r.Context(), state, handle, secret.Text(token), h.Now())
	if err != nil {
		return err
	}
	if c.State != "" {
		back.Set("state", c.State)
	}
	target, err := addQuery(c.RedirectURI, back)
	if err != nil {
		return err
	}
	http.Redirect(w, r, target, http.StatusFound)
	return nil
}

// addQuery adds values to the query of address, in place of those of the same name.
func addQuery(address string, values url.Values) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	for name := range values {
		query.Set(name, values.Get(name))
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// useInbox makes a call with the token of a mailbox of the caller.
func (x *exchange) useInbox(r *http.Request) error {
	handle := r.Header.Get(headerInboxToken)
	if !strings.HasPrefix(handle, handlePrefix) {
		return errNoMailbox
	}
	m, err := x.Owned.Mailbox(r.Context(), handle)
	if err != nil {
		return err
	}
	if m.Token == "" || m.Subject != x.token.Subject {
		return errNoMailbox
	}
	x.inboxToken, x.keyName = m.Token, m.KeyName
	x.inspect = func(_ context.Context, a *smallAnswer) error {
		if a.status != http.StatusUnauthorized {
			return nil
		}
		return x.forgetMailbox(r, handle, "consent withdrawn")
	}
	return nil
}

// forgetMailbox deletes a mailbox whose token is of no more use. The caller may have gone
// meanwhile.
func (x *exchange) forgetMailbox(r *http.Request, handle, detail string) error {
	entry := audit.New(r.Context(), x.Now(), x.token.Subject, audit.MailboxDisconnect, x.token.Subject, "").WithDetail(detail)
	return x.Owned.DeleteMailbox(context.WithoutCancel(r.Context()), handle, entry)
}

// disconnectInbox ends the connection of a mailbox of the caller.
func (x *exchange) disconnectInbox(r *http.Request) error {
	if err := x.useInbox(r); err != nil {
		return err
	}
	handle := r.Header.Get(headerInboxToken)
	lost := x.inspect
	x.inspect = func(ctx context.Context, a *smallAnswer) error {
		if a.failed() {
			return lost(ctx, a)
		}
		return x.forgetMailbox(r, handle, "")
	}
	return nil
}

// lostMailbox reports whether the vendor refused the mailbox's token, for instance since
// the investor withdrew the consent. It does not say so of the API key.
func (x *exchange) lostMailbox(res *http.Response) bool {
	if x.inboxToken == "" || res.StatusCode != http.StatusUnauthorized {
		return false
	}
	body, err := readSmall(res)
	var refusal struct {
		RequiresReconnect bool `json:"requires_reconnect"`
	}
	return err == nil && json.Unmarshal(body, &refusal) == nil && refusal.RequiresReconnect
}
