package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/storetest"
)

// mailParsing is the answer of /v1/mail-parsing.
type mailParsing struct {
	ConsentedAt *time.Time `json:"consented_at"`
	RefusedAt   *time.Time `json:"password_refused_at"`
}

const (
	rightPassword = `{"password":"ABCDE1234F","consent":true}`
	wrongPassword = `{"password":"wrong","consent":true}`
)

// parseMail has the settings parse forwarded files.
func parseMail(c *config.Config) {
	allFeatures(c)
	c.Inbound.Parse = true
}

// callback is a report of a forwarded file by the vendor.
func callback(a address, settings config.Config, message string) string {
	return fmt.Sprintf(`{"inbound_email_id":%q,"reference":%q,"files":[{"message_id":%q,"filename":"x.pdf","url":%q}],"count":1}`,
		a.ID, a.Reference, message, settings.Upstream.URL+"/_sandbox/files/x/x.pdf")
}

// deliveredFile makes a mail arrive at an address and returns the callback about it, so that
// it can be repeated.
func deliveredFile(t *testing.T, settings config.Config, a address) string {
	t.Helper()
	var d struct {
		Callback string
		File     struct {
			MessageID string `json:"message_id"`
			Filename  string `json:"filename"`
			URL       string `json:"url"`
		}
	}
	direct(t, settings, "POST", "/_sandbox/inbound-email/"+a.ID+"/deliver", `{"source":"cdsl"}`).must(t, 200).decode(t, &d)
	if d.Callback != "delivered" {
		t.Fatalf("the callback is %s", d.Callback)
	}
	return fmt.Sprintf(`{"inbound_email_id":%q,"reference":%q,"files":[{"message_id":%q,"filename":%q,"url":%q}],"count":1}`,
		a.ID, a.Reference, d.File.MessageID, d.File.Filename, d.File.URL)
}

// savedWithin waits for a portfolio of who, and returns it.
func (b *broker) savedWithin(t *testing.T, who string) (o observed) {
	t.Helper()
	within(t, 20*time.Second, "the forwarded statement is saved", func() bool {
		a := b.call(t, who, http.MethodGet, "/v1/portfolios/latest", "")
		if a.status != http.StatusOK {
			return false
		}
		a.decode(t, &o)
		return true
	})
	return o
}

func TestForwardedStatementIsSavedWithConsentOnly(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		parseMail(&settings)
		b := start(t, settings)
		asha, rohan := b.page(t, "asha"), b.page(t, "rohan")
		own, other := asha.createAddress(t), rohan.createAddress(t)
		path := b.callbackPath(t, settings, own.ID)
		b.call(t, "asha", http.MethodGet, "/v1/mail-parsing", "").must(t, 404)
		deliveredFile(t, settings, own) // before the consent
		var given mailParsing
		b.call(t, "asha", http.MethodPut, "/v1/mail-parsing", rightPassword).must(t, 200).decode(t, &given)
		if given.ConsentedAt == nil || given.RefusedAt != nil {
			t.Errorf("got %+v", given)
		}
		deliveredFile(t, settings, other) // without consent
		for _, forged := range []string{
			callback(address{own.ID, other.Reference, nil}, settings, "m1"), callback(address{other.ID, other.Reference, nil}, settings, "m2"),
			strings.ReplaceAll(callback(own, settings, "m3"), settings.Upstream.URL, "http://169.254.169.254"),
		} {
			b.call(t, "", http.MethodPost, path, forged).must(t, 400)
		}
		report := deliveredFile(t, settings, own)
		saved := b.savedWithin(t, "asha")
		if saved.Provenance != "verified" {
			t.Errorf("got %+v, want it to be verified", saved)
		}
		for range 5 {
			if a := b.call(t, "", http.MethodPost, path, report).must(t, 200); strings.TrimSpace(a.body) != `{"files":0}` {
				t.Errorf("got %s for a repetition", a.body)
			}
		}
		deliveredFile(t, settings, own) // the same statement in another mail
		within(t, 20*time.Second, "the next mail is parsed", func() bool { return vendor.Calls(parseCall) == 2 })
		if a := b.call(t, "asha", http.MethodGet, "/v1/portfolios", "").must(t, 200); strings.Count(a.body, `"id":"pf_`) != 1 {
			t.Errorf("got %s, want one portfolio", a.body)
		}
		b.call(t, "rohan", http.MethodGet, "/v1/portfolios/latest", "").must(t, 404)

		export := b.call(t, "asha", http.MethodGet, "/v1/me/export", "").must(t, 200)
		if !strings.Contains(export.body, `"mail_parsing":{"consented_at":`) || strings.Contains(export.body, "ABCDE1234F") || strings.Contains(b.log.String(), "ABCDE1234F") {
			t.Error("the export has no consent, or a password shows")
		}
		b.call(t, "asha", http.MethodDelete, "/v1/mail-parsing", "").must(t, 204)
		b.call(t, "asha", http.MethodDelete, "/v1/mail-parsing", "").must(t, 204)
		b.call(t, "asha", http.MethodGet, "/v1/mail-parsing", "").must(t, 404)
		deliveredFile(t, settings, own) // after the withdrawal
		b.call(t, "rohan", http.MethodPut, "/v1/mail-parsing", rightPassword).must(t, 200)
		deliveredFile(t, settings, other)
		b.savedWithin(t, "rohan")
		if n := vendor.Calls(parseCall); n != 3 {
			t.Errorf("the vendor got %d parses, want those of the three files with consent", n)
		}
		b.call(t, "rohan", http.MethodDelete, "/v1/me", "").must(t, 200)
		b.call(t, "rohan", http.MethodGet, "/v1/mail-parsing", "").must(t, 404)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		trail := trailOf(t, settings)
		if got := append(linesOf(trail, audit.MailConsent), linesOf(trail, audit.MailWithdraw)...); len(got) != 3 {
			t.Errorf("got the audit records %q, want two consents and one withdrawal", got)
		}
	})
}

func TestWrongPasswordIsTriedOnceForEachFile(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		parseMail(&settings)
		settings.Auth.Verifiers[0].ActsFor = []string{"app"}
		backend := serviceKey(t, &settings, "uploader", []string{"app"}, "statements:write")
		b := start(t, settings)
		const consent = "/v1/users/app:asha/mail-parsing"
		b.as(t, backend, http.MethodPut, consent, wrongPassword, "Content-Type", "application/json").must(t, 200)
		a := b.page(t, "asha").createAddress(t)
		deliveredFile(t, settings, a)
		events := b.eventsUntil(t, 2)
		if got := events.types(); got[0] != "mail.arrived app:asha" || got[1] != "statement.failed app:asha" {
			t.Fatalf("got %q", got)
		}
		failed := b.events(t, "").must(t, 200).body
		if !strings.Contains(failed, `"reason":"INVALID_PASSWORD"`) || strings.Count(failed, a.ID) != 2 || !strings.Contains(failed, `"job_id":"jb_`) {
			t.Errorf("got %s", failed)
		}
		var c mailParsing
		b.as(t, backend, http.MethodGet, consent, "").must(t, 200).decode(t, &c)
		if c.RefusedAt == nil {
			t.Errorf("got %+v, want that the password was refused", c)
		}
		deliveredFile(t, settings, a) // does not bring back the first
		b.eventsUntil(t, 4)
		if n := vendor.Calls(parseCall); n != 2 {
			t.Errorf("the vendor got %d parses of two files", n)
		}
		b.as(t, backend, http.MethodPut, consent, rightPassword, "Content-Type", "application/json").must(t, 200).decode(t, &c)
		if c.RefusedAt != nil {
			t.Errorf("got %+v for the new password", c)
		}
		within(t, 20*time.Second, "both files are parsed again", func() bool { return vendor.Calls(parseCall) == 4 })
		b.savedWithin(t, "asha")
		if u := b.usageOf(t, "asha", 7); u.Total.Credits != "2.4" { // four parses, two of which failed, two mails and an address
			t.Errorf("got %+v", u)
		}
	})
}

// TestForwardedFileOfAKilledBrokerIsParsedByTheNext has the process end, as with kill -9,
// right after the file is stored: nothing else has begun.
func TestForwardedFileOfAKilledBrokerIsParsedByTheNext(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		parseMail(&settings)
		b := start(t, settings)
		b.call(t, "asha", http.MethodPut, "/v1/mail-parsing", rightPassword).must(t, 200)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		off := settings
		off.Inbound.Parse = false
		b = start(t, off)
		if a := b.call(t, "asha", http.MethodPut, "/v1/mail-parsing", rightPassword).must(t, 403); !strings.Contains(a.body, "mail_parsing_off") {
			t.Errorf("got %s", a.body)
		}
		b.call(t, "asha", http.MethodGet, "/v1/mail-parsing", "").must(t, 200)
		deliveredFile(t, off, b.page(t, "asha").createAddress(t))
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		if n := vendor.Calls(parseCall); n != 0 {
			t.Fatalf("the vendor got %d parses while none are to be made", n)
		}
		b = start(t, settings)
		if saved := b.savedWithin(t, "asha"); saved.Provenance != "verified" || vendor.Calls(parseCall) != 1 {
			t.Errorf("got %+v after %d parses", saved, vendor.Calls(parseCall))
		}
	})
}

func TestConsentToParseMailMustBeComplete(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		parseMail(&settings)
		reader := serviceKey(t, &settings, "reader", []string{"app"}, "portfolios:read")
		b := start(t, settings)
		for _, c := range []struct {
			body string
			want int
			code string
		}{
			{`{"password":"hush-hush"}`, 422, "consent_required"},
			{`{"password":"hush-hush","consent":false}`, 422, "consent_required"},
			{`{"password":"","consent":true}`, 422, "invalid_password"},
			{`{"password":"a\nb","consent":true}`, 422, "invalid_password"},
			{`{"password":"` + strings.Repeat("é", 129) + `","consent":true}`, 422, "invalid_password"},
			{`{"password":"hush-hush","consent":true,"x":1}`, 400, "invalid_json"},
			{`{"password":5,"consent":true}`, 400, "invalid_json"},
			{`["hush-hush"]`, 400, "invalid_json"},
		} {
			a := b.call(t, "asha", http.MethodPut, "/v1/mail-parsing", c.body)
			if a.status != c.want || !strings.Contains(a.body, `"`+c.code+`"`) || strings.Contains(a.body, "hush") {
				t.Errorf("%s: got %d %s", c.body, a.status, a.body)
			}
		}
		b.call(t, "asha", http.MethodGet, "/v1/mail-parsing", "").must(t, 404)
		b.call(t, "", http.MethodGet, "/v1/mail-parsing", "").must(t, 401)
		b.as(t, reader, http.MethodPut, "/v1/users/app:asha/mail-parsing", rightPassword, "Content-Type", "application/json").must(t, 403)
		b.call(t, "asha", http.MethodPut, "/v1/mail-parsing", rightPassword).must(t, 200)
		var sealed string
		if err := storetest.SQL(t, settings.Store.URL.Reveal()).QueryRowContext(t.Context(), "SELECT CAST(sealed AS TEXT) FROM mail_consents").Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(sealed, "ABCDE1234F") {
			t.Error("the password is stored in clear")
		}
	})
}
