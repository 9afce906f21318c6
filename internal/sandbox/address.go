package sandbox

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

const (
	maxMetadata     = 10  // entries
	maxMails        = 200 // per address
	callbackFileTTL = 48 * time.Hour
	polledFileTTL   = 30 * time.Minute
)

var aliasPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,30}[a-z0-9]$`)

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

	account *account
	mails   []mailFile
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
	now := s.opts.Now().UTC()
	a := address{
		ID: newID("ie_"), Status: "active", Reference: req.Reference, CallbackURL: req.CallbackURL,
		AllowedSources: append([]string{}, req.AllowedSources...), Metadata: req.Metadata,
		CreatedAt: now, UpdatedAt: now, account: c.account,
	}
	if req.Alias == "" {
		req.Alias = a.ID
	}
	a.Email = req.Alias + "@import.casparser.example"
	if !s.addresses.putUnique(a.ID, a, func(other address) bool { return other.Email == a.Email }) {
		return reply{}, badRequest("alias is already taken")
	}
	return reply{http.StatusCreated, a}, nil
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

// findAddress returns the address that the path names, if the caller owns it.
func (s *Sandbox) findAddress(c *call) (address, error) {
	a, found := s.addresses.get(c.r.PathValue("id"))
	if !found || a.account != c.account {
		return address{}, notFound("Inbound email")
	}
	return a, nil
}

func (s *Sandbox) listAddresses(c *call) (reply, error) {
	limit, okLimit := queryInt(c.r, "limit", 50)
	offset, okOffset := queryInt(c.r, "offset", 0)
	if !okLimit || !okOffset {
		return reply{}, badRequest("limit and offset must be whole numbers")
	}
	status := c.r.URL.Query().Get("status")
	own := s.addresses.list(func(a address) bool {
		return a.account == c.account && (status == "" || status == "all" || status == a.Status)
	})
	from := min(offset, len(own))
	to := from + min(limit, len(own)-from)
	return ok(struct {
		Status string    `json:"status"`
		List   []address `json:"inbound_emails"`
		Total  int       `json:"total"`
		Limit  int       `json:"limit"`
		Offset int       `json:"offset"`
	}{"success", append([]address{}, own[from:to]...), len(own), limit, offset})
}

func (s *Sandbox) showAddress(c *call) (reply, error) {
	a, err := s.findAddress(c)
	if err != nil {
		return reply{}, err
	}
	return ok(a)
}

func (s *Sandbox) deleteAddress(c *call) (reply, error) {
	a, err := s.findAddress(c)
	if err != nil {
		return reply{}, err
	}
	s.addresses.remove(a.ID)
	return ok(statusMessage{"success", "Inbound email deleted"})
}

// addressFiles lists the mails after the cursor "since", which is the number of mails
// already read. The cursor of the answer is the "since" of the next call.
func (s *Sandbox) addressFiles(c *call) (reply, error) {
	a, err := s.findAddress(c)
	if err != nil {
		return reply{}, err
	}
	since, okSince := queryInt(c.r, "since", 0)
	limit, okLimit := queryInt(c.r, "limit", 50)
	if !okSince || !okLimit || limit == 0 {
		return reply{}, badRequest("since must be a cursor and limit a positive number")
	}
	from := min(since, len(a.mails))
	to := from + min(limit, len(a.mails)-from)
	return ok(struct {
		Status string     `json:"status"`
		Files  []mailFile `json:"files"`
		Count  int        `json:"count"`
		Cursor string     `json:"cursor"`
	}{"success", append([]mailFile{}, a.mails[from:to]...), to - from, strconv.Itoa(to)})
}
