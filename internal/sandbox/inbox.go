package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	consentLife   = 10 * time.Minute
	inboxFileLife = 24 * time.Hour
)

var (
	errNoInbox   = bad("x-inbox-token header is required")
	errReconnect = &refusal{
		status: http.StatusUnauthorized, reconnect: true,
		msg: "Access to the mailbox was revoked or has expired, connect it again",
	}
)

// consent is an OAuth consent that the user has still to give.
type consent struct {
	account  *account
	redirect *url.URL
	state    string
	provider string
	expires  time.Time
}

// inbox is a connected mailbox. It holds one statement of each source.
type inbox struct {
	account   *account
	provider  string
	email     string
	connected time.Time
}

// received lists the mailbox's statements with their age when it was connected.
var received = []struct {
	source source
	days   int
}{{cdsl, 3}, {nsdl, 8}, {cams, 12}, {kfintech, 20}}

func (s *Sandbox) connectInbox(c *call) (reply, error) {
	var req struct {
		RedirectURI string `json:"redirect_uri"`
		State       string `json:"state"`
		Provider    string `json:"provider"`
	}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, err
	}
	redirect, err := url.Parse(req.RedirectURI)
	if err != nil || redirect.Host == "" || (redirect.Scheme != "http" && redirect.Scheme != "https") {
		return reply{}, bad("redirect_uri is required and must be an http or https URL")
	}
	if req.Provider == "" {
		req.Provider = "gmail"
	}
	if !slices.Contains([]string{"gmail", "outlook", "zoho"}, req.Provider) {
		return reply{}, bad("provider must be gmail, outlook or zoho")
	}
	id := newID("")
	s.consents.put(id, consent{c.account, redirect, req.State, req.Provider, s.opts.Now().Add(consentLife)})
	return ok(struct {
		Status    string `json:"status"`
		OAuthURL  string `json:"oauth_url"`
		Provider  string `json:"provider"`
		ExpiresIn int    `json:"expires_in"` // seconds
	}{"success", c.base + "/_sandbox/oauth/" + id, req.Provider, int(consentLife / time.Second)})
}

// giveConsent stands for the mail provider's consent page: visiting it connects
// the mailbox and sends the browser back; with ?deny=1 consent is refused.
func (s *Sandbox) giveConsent(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c, found := s.consents.get(id)
	if !found || !s.opts.Now().Before(c.expires) || !s.consents.remove(id) {
		s.writeError(w, missing("Consent"))
		return
	}
	back := *c.redirect
	q := back.Query()
	if c.state != "" {
		q.Set("state", c.state)
	}
	if r.URL.Query().Has("deny") {
		q.Set("error", "access_denied")
	} else {
		token, email := newID("it_"), "investor@"+c.provider+".example"
		s.inboxes.put(token, inbox{c.account, c.provider, email, s.opts.Now()})
		q.Set("inbox_token", token)
		q.Set("email", email)
	}
	back.RawQuery = q.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *Sandbox) inbox(c *call) (token string, in inbox, err error) {
	token = c.r.Header.Get("x-inbox-token")
	if token == "" {
		return "", inbox{}, errNoInbox
	}
	in, found := s.inboxes.get(token)
	if !found || in.account != c.account {
		return "", inbox{}, errReconnect
	}
	return token, in, nil
}

func (s *Sandbox) inboxStatus(c *call) (reply, error) {
	_, in, err := s.inbox(c)
	if err != nil {
		return reply{}, err
	}
	return ok(struct {
		Status    string `json:"status"`
		Connected bool   `json:"connected"`
		Email     string `json:"email"`
		Provider  string `json:"provider"`
	}{"success", true, in.email, in.provider})
}

func (s *Sandbox) disconnectInbox(c *call) (reply, error) {
	token, _, err := s.inbox(c)
	if err != nil {
		return reply{}, err
	}
	s.inboxes.remove(token)
	return ok(done{"success", "Mailbox disconnected"})
}

// inboxFiles lists the statements in the mailbox, of the last 30 days unless
// the request says otherwise.
func (s *Sandbox) inboxFiles(c *call) (reply, error) {
	token, in, err := s.inbox(c)
	if err != nil {
		return reply{}, err
	}
	var req struct {
		Types []string `json:"cas_types"`
		Start string   `json:"start_date"`
		End   string   `json:"end_date"`
	}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, err
	}
	for _, t := range req.Types {
		if !isSource(t) {
			return reply{}, bad("cas_types may hold cdsl, nsdl, cams and kfintech")
		}
	}
	from, to, err := s.days(req.Start, req.End)
	if err != nil {
		return reply{}, err
	}
	files := []mailFile{}
	for i, m := range received {
		at := in.connected.AddDate(0, 0, -m.days)
		wanted := len(req.Types) == 0 || slices.Contains(req.Types, string(m.source))
		if wanted && !at.Before(from) && at.Before(to) {
			id := fmt.Sprintf("msg%d-%s", i+1, token[len(token)-6:])
			files = append(files, s.mailed(c.base, id, m.source, at, inboxFileLife))
		}
	}
	return ok(struct {
		Status string     `json:"status"`
		Files  []mailFile `json:"files"`
		Count  int        `json:"count"`
	}{"success", files, len(files)})
}

// days reads a first and a last day into instants, the second one exclusive.
func (s *Sandbox) days(first, last string) (from, to time.Time, err error) {
	to = s.opts.Now().UTC().Truncate(24 * time.Hour)
	if last != "" {
		if to, err = time.Parse(time.DateOnly, last); err != nil {
			return from, to, bad("end_date must be YYYY-MM-DD")
		}
	}
	from = to.AddDate(0, 0, -30)
	if first != "" {
		if from, err = time.Parse(time.DateOnly, first); err != nil {
			return from, to, bad("start_date must be YYYY-MM-DD")
		}
	}
	return from, to.AddDate(0, 0, 1), nil
}

// revokeInbox is a control call: it does what the user does who withdraws
// consent at the mail provider.
func (s *Sandbox) revokeInbox(r *http.Request) (reply, error) {
	var req struct {
		Token string `json:"inbox_token"`
	}
	if err := readJSON(r, &req); err != nil {
		return reply{}, err
	}
	if !s.inboxes.remove(req.Token) {
		return reply{}, missing("Mailbox")
	}
	return ok(done{"success", "Mailbox revoked"})
}
