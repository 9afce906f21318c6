package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	consentTTL   = 10 * time.Minute
	inboxFileTTL = 24 * time.Hour
)

var (
	errNoInboxToken = badRequest("x-inbox-token header is required")
	errReconnect    = &apiError{
		status: http.StatusUnauthorized, requiresReconnect: true,
		msg: "Access to the mailbox was revoked or has expired, connect it again",
	}
)

// consent is an OAuth consent that the user has not given yet.
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
	investor  string // persona id; "" if it is of no persona
	connected time.Time
}

// mailboxStatement is a statement in a mailbox.
type mailboxStatement struct {
	source source
	days   int // its age when the mailbox was connected
}

// mailboxStatements are in every mailbox.
var mailboxStatements = []mailboxStatement{{cdsl, 3}, {nsdl, 8}, {cams, 12}, {kfintech, 20}}

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
		return reply{}, badRequest("redirect_uri is required and must be an http or https URL")
	}
	if !slices.Contains(providers, req.Provider) {
		req.Provider = providers[0]
	}
	id := newID("")
	s.consents.put(id, consent{c.account, redirect, req.State, req.Provider, s.opts.Now().Add(consentTTL)})
	return consentLink(c, id, req.Provider)
}

// providers are the mail providers. An unknown one is taken as the first.
var providers = []string{"gmail", "outlook", "zoho"}

func consentLink(c *call, id, provider string) (reply, error) {
	return ok(struct {
		Status    string `json:"status"`
		OAuthURL  string `json:"oauth_url"`
		Provider  string `json:"provider"`
		ExpiresIn int    `json:"expires_in"` // seconds
	}{"success", c.base + oauthPath + id, provider, int(consentTTL / time.Second)})
}

// answerConsent emulates the mail provider's consent page. A GET connects the mailbox
// and redirects; with ?as=rohan it is the mailbox of that persona, with ?deny=1 it
// redirects with an error instead. A browser without a choice gets a page that asks.
func (s *Sandbox) answerConsent(w http.ResponseWriter, r *http.Request) {
	id, as := r.PathValue("id"), r.URL.Query().Get("as")
	if _, known := personaByID(as); !known && as != "" {
		s.writeError(w, errNoPersona)
		return
	}
	c, found := s.consents.get(id)
	if !found || !s.opts.Now().Before(c.expires) {
		s.writeError(w, notFound("Consent"))
		return
	}
	if wantsPage(r, r.URL.Query()) {
		showConsent(w, c.provider)
		return
	}
	if !s.consents.remove(id) {
		s.writeError(w, notFound("Consent"))
		return
	}
	target := *c.redirect
	q := target.Query()
	if c.state != "" {
		q.Set("state", c.state)
	}
	if r.URL.Query().Has("deny") {
		q.Set("error", "access_denied")
	} else {
		token := newID("it_")
		in := newInbox(c.account, c.provider, as, s.opts.Now())
		s.inboxes.put(token, in)
		q.Set("inbox_token", token)
		q.Set("email", in.email)
	}
	target.RawQuery = q.Encode()
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// newInbox returns the mailbox of the persona with this id, or one that is of no
// persona.
func newInbox(a *account, provider, investor string, now time.Time) inbox {
	p, found := personaByID(investor)
	if !found {
		p.Email = "investor@" + provider + ".example"
	}
	return inbox{account: a, provider: provider, email: p.Email, investor: p.ID, connected: now}
}

// findInbox returns the mailbox of the x-inbox-token, if the caller's account connected it.
func (s *Sandbox) findInbox(c *call) (token string, in inbox, err error) {
	token = c.r.Header.Get("x-inbox-token")
	if token == "" {
		return "", inbox{}, errNoInboxToken
	}
	in, found := s.inboxes.get(token)
	if !found || in.account != c.account {
		return "", inbox{}, errReconnect
	}
	return token, in, nil
}

func (s *Sandbox) inboxStatus(c *call) (reply, error) {
	_, in, err := s.findInbox(c)
	if err != nil {
		return reply{}, err
	}
	return in.status()
}

func (in inbox) status() (reply, error) {
	return ok(struct {
		Status    string `json:"status"`
		Connected bool   `json:"connected"`
		Email     string `json:"email"`
		Provider  string `json:"provider"`
	}{"success", true, in.email, in.provider})
}

func (s *Sandbox) disconnectInbox(c *call) (reply, error) {
	token, _, err := s.findInbox(c)
	if err != nil {
		return reply{}, err
	}
	s.inboxes.remove(token)
	return ok(disconnected)
}

// disconnected is the answer of a successful call of disconnectInbox.
var disconnected = statusMessage{"success", "Mailbox disconnected"}

// inboxFiles lists the statements in the mailbox within the requested dates, by
// default the last 30 days.
func (s *Sandbox) inboxFiles(c *call) (reply, error) {
	token, in, err := s.findInbox(c)
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
			return reply{}, badRequest("cas_types may hold cdsl, nsdl, cams and kfintech")
		}
	}
	from, to, err := s.dateRange(req.Start, req.End)
	if err != nil {
		return reply{}, err
	}
	return s.pulled(c, token, in, func(m mailboxStatement) bool {
		at := in.connected.AddDate(0, 0, -m.days)
		wanted := len(req.Types) == 0 || slices.Contains(req.Types, string(m.source))
		return wanted && !at.Before(from) && at.Before(to)
	})
}

// pulled answers with the statements in the mailbox for which wanted holds.
func (s *Sandbox) pulled(c *call, token string, in inbox, wanted func(mailboxStatement) bool) (reply, error) {
	files := []mailFile{}
	for i, m := range mailboxStatements {
		if wanted(m) {
			at := in.connected.AddDate(0, 0, -m.days).UTC()
			id := fmt.Sprintf("msg%d-%s", i+1, token[len(token)-6:])
			f := s.addMailFile(c.base, id, content{m.source, in.investor}, at, inboxFileTTL)
			f.MessageDate = at.Format(time.DateOnly)
			files = append(files, f)
		}
	}
	return ok(struct {
		Status string     `json:"status"`
		Files  []mailFile `json:"files"`
		Count  int        `json:"count"`
	}{"success", files, len(files)})
}

// dateRange parses the first and the last day of a search. The result includes from
// and excludes to.
func (s *Sandbox) dateRange(first, last string) (from, to time.Time, err error) {
	to = s.opts.Now().UTC().Truncate(24 * time.Hour)
	if last != "" {
		if to, err = time.Parse(time.DateOnly, last); err != nil {
			return from, to, badRequest("end_date must be YYYY-MM-DD")
		}
	}
	from = to.AddDate(0, 0, -30)
	if first != "" {
		if from, err = time.Parse(time.DateOnly, first); err != nil {
			return from, to, badRequest("start_date must be YYYY-MM-DD")
		}
	}
	return from, to.AddDate(0, 0, 1), nil
}

// revokeInbox is a control call that emulates a user who withdraws consent at the
// mail provider.
func (s *Sandbox) revokeInbox(r *http.Request) (reply, error) {
	var req struct {
		Token string `json:"inbox_token"`
	}
	if err := readJSON(r, &req); err != nil {
		return reply{}, err
	}
	if !s.inboxes.remove(req.Token) {
		return reply{}, notFound("Mailbox")
	}
	return ok(statusMessage{"success", "Mailbox revoked"})
}
