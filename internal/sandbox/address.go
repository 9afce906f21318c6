package sandbox

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

const (
	maxMetadata  = 10  // entries
	maxReference = 256 // characters
	maxMails     = 200 // per address

	// An address with a callback lives callbackTTL. Any other lives polledTTL after its
	// creation or the last poll. Links to files live as long after the mail arrived.
	callbackTTL = 48 * time.Hour
	polledTTL   = 30 * time.Minute

	maxAddresses     = 100 // in one answer of listAddresses
	defaultAddresses = 50
	maxFiles         = 50 // in one answer of addressFiles
	defaultFiles     = 20
)

var aliasPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,30}[a-z0-9]$`)

const mailDomain = "@import.casparser.example"

// address is a forwarding address with the mails it has received.
type address struct {
	ID             string            `json:"inbound_email_id"`
	Email          string            `json:"email"`
	Status         string            `json:"status"`
	Reference      *string           `json:"reference"`
	CallbackURL    string            `json:"callback_url"`
	AllowedSources []string          `json:"allowed_sources"`
	Metadata       map[string]string `json:"metadata"`
	CreatedAt      time.Time         `json:"created_at"`
	UpdatedAt      time.Time         `json:"updated_at"`
	ExpiresIn      int               `json:"expires_in"` // seconds; set by the calls that answer with an address

	account *account
	expires time.Time
	mails   []receivedMail
}

// receivedMail is a mail that an address has received.
type receivedMail struct {
	at   time.Time // in whole microseconds; later than that of the mail before
	file mailFile
}

// ttl returns how long the address lives after its creation, and after each poll if it
// has no callback.
func (a address) ttl() time.Duration {
	if a.CallbackURL != "" {
		return callbackTTL
	}
	return polledTTL
}

// shown returns the address as an answer shows it.
func (a address) shown(now time.Time) address {
	a.ExpiresIn = int(a.expires.Sub(now) / time.Second)
	return a
}

// addressRequest is the body of a call that creates an address.
type addressRequest struct {
	Alias          string            `json:"alias"`
	Reference      *string           `json:"reference"`
	CallbackURL    string            `json:"callback_url"`
	AllowedSources []string          `json:"allowed_sources"`
	Metadata       map[string]string `json:"metadata"`
}

func (r addressRequest) validate() error {
	for _, src := range r.AllowedSources {
		if !isSource(src) {
			return badRequest("allowed_sources may hold cdsl, nsdl, cams and kfintech")
		}
	}
	switch {
	case r.Alias != "" && !aliasPattern.MatchString(r.Alias):
		return badRequest("alias has 3 to 32 lower-case letters, digits and inner hyphens")
	case r.CallbackURL != "" && !validCallbackURL(r.CallbackURL):
		return badRequest("callback_url must be https, or http on this machine")
	case r.Reference != nil && utf8.RuneCountInString(*r.Reference) > maxReference:
		return badRequest("reference has at most 256 characters")
	case len(r.Metadata) > maxMetadata:
		return badRequest("metadata holds at most 10 entries")
	}
	return nil
}

func (s *Sandbox) createAddress(c *call) (reply, error) {
	req := addressRequest{Metadata: map[string]string{}}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, err
	}
	if err := req.validate(); err != nil {
		return reply{}, err
	}
	now := s.opts.Now()
	a := address{
		ID: newID("ie_"), Status: "active", Reference: req.Reference, CallbackURL: req.CallbackURL,
		AllowedSources: append([]string{}, req.AllowedSources...), Metadata: req.Metadata,
		CreatedAt: now.UTC(), UpdatedAt: now.UTC(), account: c.account,
	}
	a.expires = now.Add(a.ttl())
	if req.Alias == "" {
		req.Alias = a.ID
	}
	a.Email = req.Alias + mailDomain
	taken := func(other address) bool { return other.Email == a.Email && now.Before(other.expires) }
	if !s.addresses.putUnique(a.ID, a, taken) {
		return reply{}, badRequest("alias is already taken")
	}
	return reply{http.StatusCreated, a.shown(now)}, nil
}

func validCallbackURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || (u.Scheme == "http" && isLoopbackURL(u))
}

// isLoopbackURL reports whether the host of u is localhost or a loopback address.
func isLoopbackURL(u *url.URL) bool {
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.Unmap().IsLoopback()
}

// findAddress returns the address that the path names, if the caller owns it and it has
// not expired.
func (s *Sandbox) findAddress(c *call) (address, error) {
	a, found := s.addresses.get(c.r.PathValue("id"))
	if !found || a.account != c.account || !s.opts.Now().Before(a.expires) {
		return address{}, notFound("Inbound email")
	}
	return a, nil
}

// listAddresses lists the account's addresses that have not expired, oldest first.
func (s *Sandbox) listAddresses(c *call) (reply, error) {
	limit, okLimit := queryInt(c.r, "limit", defaultAddresses)
	offset, okOffset := queryInt(c.r, "offset", 0)
	if !okLimit || !okOffset || limit < 1 || limit > maxAddresses {
		return reply{}, badRequest("limit must be between 1 and 100, offset a whole number")
	}
	status := c.r.URL.Query().Get("status")
	now := s.opts.Now()
	own := s.addresses.list(func(a address) bool {
		return a.account == c.account && now.Before(a.expires) && (status == "" || status == "all" || status == a.Status)
	})
	from := min(offset, len(own))
	to := from + min(limit, len(own)-from)
	page := make([]address, 0, to-from)
	for _, a := range own[from:to] {
		page = append(page, a.shown(now))
	}
	return addressList(page, len(own), limit, offset)
}

func addressList(page []address, total, limit, offset int) (reply, error) {
	return ok(struct {
		Status string    `json:"status"`
		List   []address `json:"inbound_emails"`
		Total  int       `json:"total"`
		Limit  int       `json:"limit"`
		Offset int       `json:"offset"`
	}{"success", page, total, limit, offset})
}

func (s *Sandbox) showAddress(c *call) (reply, error) {
	a, err := s.findAddress(c)
	if err != nil {
		return reply{}, err
	}
	return ok(a.shown(s.opts.Now()))
}

func (s *Sandbox) deleteAddress(c *call) (reply, error) {
	a, err := s.findAddress(c)
	if err != nil {
		return reply{}, err
	}
	s.addresses.remove(a.ID)
	return ok(deleted)
}

// deleted is the answer of a successful call of deleteAddress.
var deleted = statusMessage{"success", "Inbound email deleted"}

// addressFiles lists the mails that arrived after the timestamp "since", oldest first.
// The cursor of the answer is the "since" of the next call.
func (s *Sandbox) addressFiles(c *call) (reply, error) {
	a, err := s.findAddress(c)
	if err != nil {
		return reply{}, err
	}
	since, okSince := queryTime(c.r, "since")
	limit, okLimit := queryInt(c.r, "limit", defaultFiles)
	if !okSince || !okLimit || limit < 1 || limit > maxFiles {
		return reply{}, badRequest("since must be an ISO 8601 timestamp and limit between 1 and 50")
	}
	if a.CallbackURL == "" {
		s.addresses.change(a.ID, func(a *address) { a.expires = s.opts.Now().Add(a.ttl()) })
	}
	first := slices.IndexFunc(a.mails, func(m receivedMail) bool { return m.at.After(since) })
	files := []mailFile{}
	if first >= 0 {
		for _, m := range a.mails[first:min(first+limit, len(a.mails))] {
			files = append(files, m.file)
		}
	}
	return listFiles(files)
}

// listFiles answers with these files. The cursor is null without files.
func listFiles(files []mailFile) (reply, error) {
	var cursor *string
	if len(files) > 0 {
		cursor = &files[len(files)-1].ReceivedAt
	}
	return ok(struct {
		Status string     `json:"status"`
		Files  []mailFile `json:"files"`
		Count  int        `json:"count"`
		Cursor *string    `json:"cursor"`
	}{"success", files, len(files), cursor})
}
