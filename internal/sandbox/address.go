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
	maxMetadata    = 10
	maxAddressFile = 200 // mails kept per address
	pushedFileLife = 48 * time.Hour
	pulledFileLife = 30 * time.Minute
)

var aliasForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,30}[a-z0-9]$`)

// address is a forwarding address with the mails that came to it.
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

// addressOrder asks for an address.
type addressOrder struct {
	Alias          string            `json:"alias"`
	Reference      *string           `json:"reference"`
	CallbackURL    string            `json:"callback_url"`
	AllowedSources []string          `json:"allowed_sources"`
	Metadata       map[string]string `json:"metadata"`
}

func (o addressOrder) check() error {
	for _, src := range o.AllowedSources {
		if !isSource(src) {
			return bad("allowed_sources may hold cdsl, nsdl, cams and kfintech")
		}
	}
	switch {
	case o.Alias != "" && !aliasForm.MatchString(o.Alias):
		return bad("alias has 3 to 32 lower-case letters, digits and inner hyphens")
	case o.CallbackURL != "" && !mayCallBack(o.CallbackURL):
		return bad("callback_url must be https, or http on this machine")
	case len(o.Metadata) > maxMetadata:
		return bad("metadata holds at most 10 entries")
	}
	return nil
}

func (s *Sandbox) createAddress(c *call) (reply, error) {
	req := addressOrder{Metadata: map[string]string{}}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, err
	}
	if err := req.check(); err != nil {
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
	if !s.addresses.putUnless(a.ID, a, func(o address) bool { return o.Email == a.Email }) {
		return reply{}, bad("alias is already taken")
	}
	return reply{http.StatusCreated, a}, nil
}

func mayCallBack(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || (u.Scheme == "http" && onThisMachine(u))
}

// onThisMachine reports whether u names a loopback address.
func onThisMachine(u *url.URL) bool {
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.Unmap().IsLoopback()
}

// ownAddress finds the address that the path names, if it is the caller's.
func (s *Sandbox) ownAddress(c *call) (address, error) {
	a, found := s.addresses.get(c.r.PathValue("id"))
	if !found || a.account != c.account {
		return address{}, missing("Inbound email")
	}
	return a, nil
}

func (s *Sandbox) listAddresses(c *call) (reply, error) {
	limit, okLimit := number(c.r, "limit", 50)
	offset, okOffset := number(c.r, "offset", 0)
	if !okLimit || !okOffset {
		return reply{}, bad("limit and offset must be whole numbers")
	}
	status := c.r.URL.Query().Get("status")
	own := s.addresses.all(func(a address) bool {
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
	a, err := s.ownAddress(c)
	if err != nil {
		return reply{}, err
	}
	return ok(a)
}

func (s *Sandbox) deleteAddress(c *call) (reply, error) {
	a, err := s.ownAddress(c)
	if err != nil {
		return reply{}, err
	}
	s.addresses.remove(a.ID)
	return ok(done{"success", "Inbound email deleted"})
}

// addressFiles lists the mails after the cursor "since": how many the caller
// has had already. The answer's cursor is the next one to send.
func (s *Sandbox) addressFiles(c *call) (reply, error) {
	a, err := s.ownAddress(c)
	if err != nil {
		return reply{}, err
	}
	since, okSince := number(c.r, "since", 0)
	limit, okLimit := number(c.r, "limit", 50)
	if !okSince || !okLimit || limit == 0 {
		return reply{}, bad("since must be a cursor and limit a positive number")
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

// number reads a whole number from the query; preset stands in for none.
func number(r *http.Request, name string, preset int) (int, bool) {
	raw := r.URL.Query().Get(name)
	if raw == "" {
		return preset, true
	}
	n, err := strconv.Atoi(raw)
	return n, err == nil && n >= 0
}
