package sandbox

import (
	"cmp"
	_ "embed" // mailbox.html
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// mailboxPath is the path of the page with the mails of the investors.
const mailboxPath = "/_sandbox/mailbox"

// mailed is a statement that was mailed to an investor on request.
type mailed struct {
	ID      string
	To      string
	content content
	at      time.Time
}

// Source returns the issuer as the page shows it.
func (m mailed) Source() string { return strings.ToUpper(string(m.content.source)) }

// At returns the time as the page shows it.
func (m mailed) At() string { return m.at.Format(time.DateTime) }

//go:embed mailbox.html
var mailboxHTML string

var mailboxPage = template.Must(template.New("mailbox").Parse(mailboxHTML))

// errNoMailed is returned for a mail that was not sent, or is forgotten.
var errNoMailed = notFound("Mail")

// mail mails the statement of all funds to the investor with this PAN, else with this
// address, else to the first. A mail to a forwarding address arrives there.
func (s *Sandbox) mail(c *call, to, pan string) error {
	p, found := findPersona(func(p Persona) bool { return p.PAN == pan })
	if !found {
		p, _ = findPersona(func(p Persona) bool { return strings.EqualFold(p.Email, to) })
	}
	m := mailed{ID: newID("mail_"), To: to, content: content{kfintech, p.ID}, at: s.opts.Now().UTC()}
	if a, found := s.addressOf(to); found && a.account == c.account {
		_, err := s.arrive(c.r, a, m.content, m.content.source.sender(), c.base)
		return err
	}
	s.mails.put(m.ID, m)
	return nil
}

// addressOf returns the forwarding address that email is, if it has not expired.
func (s *Sandbox) addressOf(email string) (address, bool) {
	now := s.opts.Now()
	found := s.addresses.list(func(a address) bool { return strings.EqualFold(a.Email, email) && now.Before(a.expires) })
	if len(found) == 0 {
		return address{}, false
	}
	return found[len(found)-1], true
}

// showMailbox serves the page with all mails, the newest first, and the forwarding address
// that was made last.
func (s *Sandbox) showMailbox(w http.ResponseWriter, result string) {
	all := s.mails.list(func(mailed) bool { return true })
	page := struct {
		Mails          []mailed
		Newest, Result string
	}{Result: result}
	for i := len(all) - 1; i >= 0; i-- {
		page.Mails = append(page.Mails, all[i])
	}
	now := s.opts.Now()
	if open := s.addresses.list(func(a address) bool { return now.Before(a.expires) }); len(open) > 0 {
		page.Newest = open[len(open)-1].Email
	}
	writePage(w, mailboxPage, page)
}

// forwardMail forwards a mail, as its receiver would, to a forwarding address.
func (s *Sandbox) forwardMail(w http.ResponseWriter, r *http.Request) {
	m, found := s.mails.get(r.PostFormValue("mail"))
	if !found {
		s.writeError(w, errNoMailed)
		return
	}
	a, found := s.addressOf(strings.TrimSpace(r.PostFormValue("to")))
	if !found {
		s.showMailbox(w, "There is no such forwarding address, or it has expired.")
		return
	}
	if _, err := s.arrive(r, a, m.content, m.To, s.baseURL(r)); err != nil {
		s.writeError(w, err)
		return
	}
	s.showMailbox(w, "Forwarded to "+a.Email+".")
}

// writePage writes a page of the sandbox's own. It must not be framed, and loads nothing.
func writePage(w http.ResponseWriter, t *template.Template, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	_ = t.Execute(w, data) // fails only when the caller has gone
}

//go:embed consent.html
var consentHTML string

var consentPage = template.Must(template.New("consent").Parse(consentHTML))

// wantsPage reports whether a request for a consent comes from a person who has not chosen
// yet. A program answers the consent by asking for its URL.
func wantsPage(r *http.Request, query url.Values) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !query.Has("as") && !query.Has("deny")
}

// showConsent serves the page that asks for a consent.
func showConsent(w http.ResponseWriter, provider string) {
	writePage(w, consentPage, struct {
		Provider string
		Personas []Persona
	}{cmp.Or(map[string]string{"gmail": "Gmail", "outlook": "Outlook", "zoho": "Zoho Mail"}[provider], provider), personas})
}
