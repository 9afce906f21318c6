package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"
	"unicode"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// Files that arrive at a user's forwarding addresses are parsed without the user if the user
// has agreed that the broker keeps their password:
//
//	consent ─┐
//	         ├─▶ the file is due (in the transaction that stores it) ─▶ a job, one of a user at a time
//	file ────┘
//
// The job has no document of its own: the URL and the password are read when it is taken, so
// neither is left once the consent is withdrawn. A file whose password is wrong is due again
// when the user sends another one, not before.

// Consent is what a user has agreed to. The password is not part of it.
type Consent struct {
	GivenAt    time.Time
	PasswordAt time.Time // when the password was sent
	RefusedAt  time.Time // when the vendor last refused the password; zero if it never did
}

// ForwardedFile is a file of a forwarding address that is to be parsed.
type ForwardedFile struct {
	Address    string // id of the forwarding address
	URL        string
	Password   secret.Text
	PasswordAt time.Time // as in Consent
}

// ConsentStore stores consents, with sealed passwords. Each change is stored with its audit
// record, both or neither.
type ConsentStore interface {
	// GiveConsent stores the consent of subject, or another password for it: what was due
	// with the one before is due again.
	GiveConsent(ctx context.Context, subject string, password secret.Text, at time.Time, r audit.Record) (Consent, error)
	// Consent returns the consent of subject, or ErrNoConsent.
	Consent(ctx context.Context, subject string) (Consent, error)
	// WithdrawConsent deletes the consent of subject, if there is one, and the jobs that wait
	// for it.
	WithdrawConsent(ctx context.Context, subject string, r audit.Record) error
}

// maxPassword is the longest password, in characters.
const maxPassword = 128

// Faults of consents.
var (
	ErrNoConsent = fault.New(fault.NotFound, "no_mail_parsing", "You have not agreed that forwarded statements are read by themselves.")

	errMailOff = fault.New(fault.Forbidden, "mail_parsing_off", "This service does not read forwarded statements by itself.").
			WithNotef("Set inbound.parse to true to offer it.")
	errConsent = fault.New(fault.Unprocessable, "consent_required",
		"Set consent to true: the password of the statements is then kept, encrypted, until you withdraw that.").
		At(fault.Field{Pointer: "/consent", Detail: "must be true"})
	errPassword = fault.New(fault.Unprocessable, "invalid_password", "Send the password of the statements, of up to 128 characters.").
			At(fault.Field{Pointer: "/password", Detail: "must have 1 to 128 printable characters"})
	errFileHost = fault.New(fault.Unprocessable, "invalid_pdf_url", "The file is not on a server of the statement service.")
)

// Consents lets users agree that their forwarded statements are parsed. All fields but
// Added are required. It is safe for concurrent use.
type Consents struct {
	Store   ConsentStore
	Offered bool // consents are taken
	Now     func() time.Time
	// Added is called after files may have become due; nil for none.
	Added func()
}

// Give stores the consent of who, with the password of their files.
func (s *Consents) Give(ctx context.Context, who auth.Principal, password secret.Text, consent bool) (Consent, error) {
	switch {
	case !s.Offered:
		return Consent{}, errMailOff
	case !consent:
		return Consent{}, errConsent
	case !isPassword(password.Reveal()):
		return Consent{}, errPassword
	}
	now := s.Now()
	c, err := s.Store.GiveConsent(ctx, who.Subject, password, now, audit.New(ctx, now, who.Subject, audit.MailConsent, who.Subject, ""))
	if err == nil && s.Added != nil {
		s.Added()
	}
	return c, err
}

// isPassword reports whether text can be a password of a PDF.
func isPassword(text string) bool {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return text != "" && utf8.RuneCountInString(text) <= maxPassword
}

// Withdraw ends the consent of who.
func (s *Consents) Withdraw(ctx context.Context, who auth.Principal) error {
	return s.Store.WithdrawConsent(ctx, who.Subject, audit.New(ctx, s.Now(), who.Subject, audit.MailWithdraw, who.Subject, ""))
}

// consentView is a consent as its user sees it.
type consentView struct {
	GivenAt    time.Time  `json:"consented_at"`
	PasswordAt time.Time  `json:"password_set_at"`
	RefusedAt  *time.Time `json:"password_refused_at"`
}

func viewConsent(c Consent) consentView {
	v := consentView{GivenAt: c.GivenAt, PasswordAt: c.PasswordAt}
	if !c.RefusedAt.IsZero() {
		v.RefusedAt = &c.RefusedAt
	}
	return v
}

// ConsentExporter writes a user's consent into the export of the user's data.
type ConsentExporter struct{ Store ConsentStore }

// Export writes the consent of subject to e, without the password; null if there is none.
func (x ConsentExporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	c, err := x.Store.Consent(ctx, subject)
	switch {
	case errors.Is(err, ErrNoConsent):
		return e.WriteToken(jsontext.Null)
	case err != nil:
		return err
	}
	return jsonv2.MarshalEncode(e, viewConsent(c))
}

// documentOf returns the request with which the vendor parses f.
func documentOf(f ForwardedFile) (Document, error) {
	body, err := json.Marshal(map[string]string{"pdf_url": f.URL, "password": f.Password.Reveal()})
	return Document{ContentType: "application/json", Body: body}, err
}

// checkHost returns a fault unless f is on a server of the vendor.
func (s *Jobs) checkHost(ctx context.Context, job Job, f ForwardedFile) error {
	switch {
	case s.FromVendor == nil: // since it is no longer offered
		return errMailOff
	case s.FromVendor(f.URL):
		return nil
	}
	host := ""
	if u, err := url.Parse(f.URL); err == nil {
		host = u.Host
	}
	s.Log.WarnContext(ctx, "a forwarded file is not on a host of the vendor and is not parsed; if it is one, add it to inbound.file_hosts",
		"job", job.ID, "host", host)
	return errFileHost
}
