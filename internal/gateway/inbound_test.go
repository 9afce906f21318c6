package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/gateway"
	"casbroker/internal/httpapi"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

const callbackSecret = "the-secret-of-a-callback-of-asha-0123456789"

// inbound is the route of callbacks, with a database in which asha has the address ie_1.
type inbound struct {
	http.Handler
	db       *store.DB
	outcomes []string
	arrived  []gateway.Arrival
}

var callbackAt = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

func newInbound(t *testing.T, change ...func(*gateway.Mail)) *inbound {
	t.Helper()
	in := &inbound{db: storetest.New(t)}
	r := gateway.Resource{Kind: gateway.Address, ID: "ie_1", Subject: "app:asha", CreatedAt: callbackAt, CallbackSecret: callbackSecret}
	if ok, err := in.db.ClaimResource(t.Context(), r); !ok || err != nil {
		t.Fatal(ok, err)
	}
	e := echo.New()
	e.HTTPErrorHandler = httpapi.HandleError
	mail := &gateway.Mail{
		Store: in.db, Now: func() time.Time { return callbackAt },
		Arrived: func(_ context.Context, a gateway.Arrival) { in.arrived = append(in.arrived, a) },
	}
	for _, c := range change {
		c(mail)
	}
	(&gateway.Inbound{
		Mail:      mail,
		Reference: func(subject string) string { return "user_" + subject },
		FileHosts: gateway.NewFileHosts(nil, "https://api.casparser.in"),
		Observe:   func(outcome string) { in.outcomes = append(in.outcomes, outcome) },
	}).Mount(e.Group("/inbound"))
	in.Handler = e
	return in
}

// post posts a callback and returns the status and body of the answer.
func (in *inbound) post(t *testing.T, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	in.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// files returns the members of all stored files.
func (in *inbound) files(t *testing.T) []gateway.MailFile {
	t.Helper()
	list, err := in.db.MailFiles(t.Context(), "ie_1", time.Time{}, callbackAt, 50)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// notice is a callback about ie_1 with these files.
func notice(files ...string) string {
	return `{"inbound_email_id":"ie_1","forwarded_by":"asha@mail.example","reference":"user_app:asha","metadata":{"a":"b"},"files":[` +
		strings.Join(files, ",") + fmt.Sprintf(`],"count":%d}`, len(files))
}

// reported is a file in a callback with this URL.
func reported(url string) string {
	return fmt.Sprintf(`{"message_id":"msg_1","filename":"a.pdf","original_filename":"cas.pdf","message_date":"2026-01-15","cas_type":"CDSL",`+
		`"sender_email":"cas@sender.example","size":12345,"url":%q,"expires_in":172800}`, url)
}

const goodURL = "https://files.casparser.in/a.pdf?signature=x"

func TestCallbackIsStoredOnce(t *testing.T) {
	t.Parallel()
	in := newInbound(t)
	for i, want := range []string{`{"files":1}`, `{"files":0}`, `{"files":0}`, `{"files":0}`, `{"files":0}`} {
		if status, body := in.post(t, "/inbound/"+callbackSecret, notice(reported(goodURL))); status != 200 || strings.TrimSpace(body) != want {
			t.Errorf("%d: got %d %s, want %s", i, status, body, want)
		}
	}
	list := in.files(t)
	if len(list) != 1 || string(list[0].Members["url"]) != `"`+goodURL+`"` || string(list[0].Members["cas_type"]) != `"CDSL"` ||
		!list[0].ReceivedAt.Equal(callbackAt) || !list[0].ExpiresAt.Equal(callbackAt.Add(48*time.Hour)) {
		t.Errorf("got %+v", list)
	}
	if len(in.arrived) != 1 || in.arrived[0] != (gateway.Arrival{Subject: "app:asha", Address: "ie_1", Messages: 1, Files: 1}) {
		t.Errorf("got the arrivals %+v", in.arrived)
	}
	if got := fmt.Sprint(in.outcomes); got != "[stored repeated repeated repeated repeated]" {
		t.Errorf("got the outcomes %s", got)
	}
}

func TestCallbackKeepsKnownMembersOnly(t *testing.T) {
	t.Parallel()
	in := newInbound(t)
	file := strings.Replace(reported(goodURL), `{`, `{"pdf_url":"http://169.254.169.254/","html":{"a":1},"received_at":"2031-01-01T00:00:00Z",`, 1)
	body := strings.Replace(notice(file), `"reference":"user_app:asha",`, `"unknown":1,`, 1)
	if status, text := in.post(t, "/inbound/"+callbackSecret, body); status != 200 {
		t.Fatalf("got %d %s", status, text)
	}
	f := in.files(t)[0]
	if len(f.Members) != 8 || f.Members["pdf_url"] != nil || f.Members["html"] != nil || !f.ReceivedAt.Equal(callbackAt) {
		t.Errorf("got %+v", f)
	}
	if status, text := in.post(t, "/inbound/"+callbackSecret, notice()); status != 200 || strings.TrimSpace(text) != `{"files":0}` {
		t.Errorf("a notice without files: got %d %s", status, text)
	}
}

func TestForgedCallbackHasNoEffect(t *testing.T) {
	t.Parallel()
	in := newInbound(t)
	good := notice(reported(goodURL))
	for _, path := range []string{
		"/inbound/" + strings.Repeat("A", 43), "/inbound/x", "/inbound/", "/inbound/" + callbackSecret + "/", "/inbound/" + callbackSecret + "/x", "/inbound/" + callbackSecret + "0",
		"/inbound/" + strings.ToUpper(callbackSecret), "/inbound/" + strings.Replace(callbackSecret, "-", "%2d", 1) + "%00",
	} {
		if status, body := in.post(t, path, good); status != 404 {
			t.Errorf("%s: got %d %s, want 404", path, status, body)
		}
	}
	var many []string
	for range 51 {
		many = append(many, reported(goodURL))
	}
	for name, body := range map[string]string{
		"another address":      strings.Replace(good, `"ie_1"`, `"ie_2"`, 1),
		"no address":           strings.Replace(good, `"inbound_email_id":"ie_1",`, ``, 1),
		"a forged reference":   strings.Replace(good, `user_app:asha`, `user_app:rohan`, 1),
		"an empty reference":   strings.Replace(good, `user_app:asha`, ``, 1),
		"nothing":              ``,
		"no JSON":              `inbound_email_id=ie_1`,
		"a list":               `[` + good + `]`,
		"two objects":          good + good,
		"a name twice":         strings.Replace(good, `"count":1`, `"files":[]`, 1),
		"invalid UTF-8":        strings.Replace(good, `a.pdf`, "a\xff.pdf", 1),
		"no files":             `{"inbound_email_id":"ie_1"}`,
		"files as an object":   `{"inbound_email_id":"ie_1","files":{}}`,
		"files of numbers":     `{"inbound_email_id":"ie_1","files":[1]}`,
		"a null":               notice("null"),
		"51 files":             notice(many...),
		"a file without id":    notice(strings.Replace(reported(goodURL), `"msg_1"`, `""`, 1)),
		"a file without name":  notice(strings.Replace(reported(goodURL), `"a.pdf"`, `null`, 1)),
		"a name of two lines":  notice(strings.Replace(reported(goodURL), `"a.pdf"`, `"a\npdf"`, 1)),
		"a name of 5000 bytes": notice(strings.Replace(reported(goodURL), `"a.pdf"`, `"`+strings.Repeat("a", 5000)+`"`, 1)),
		"an object as a type":  notice(strings.Replace(reported(goodURL), `"CDSL"`, `{"a":1}`, 1)),
		"one bad file of two":  notice(reported(goodURL), strings.Replace(reported("https://evil.example/"), "msg_1", "msg_2", 1)),
		"an address of clouds": notice(reported("http://169.254.169.254/latest/meta-data/")),
	} {
		status, text := in.post(t, "/inbound/"+callbackSecret, body)
		if status != 400 || !strings.Contains(text, `"code":"invalid_callback"`) || strings.Contains(text, "file_hosts") {
			t.Errorf("%s: got %d %s, want 400", name, status, text)
		}
	}
	for _, large := range []string{notice(`"` + strings.Repeat("a", 256<<10) + `"`), strings.Repeat(" ", 300<<10)} {
		if status, _ := in.post(t, "/inbound/"+callbackSecret, large); status != 413 {
			t.Errorf("a large body: got %d, want 413", status)
		}
	}
	if n := len(in.files(t)); n != 0 || len(in.arrived) != 0 {
		t.Errorf("%d files are stored, %d arrivals", n, len(in.arrived))
	}
	if in.post(t, "/inbound/"+callbackSecret, good); len(in.files(t)) != 1 {
		t.Error("the genuine callback was not stored")
	}
}

// unwritable is a database that cannot be written to.
type unwritable struct{ *store.DB }

func (unwritable) AddFiles(context.Context, string, []gateway.MailFile, string) (gateway.Arrival, error) {
	return gateway.Arrival{}, store.ErrUnavailable
}

func TestCallbackThatCannotBeStoredIsToBeRepeated(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gateway.Mail){
		"the files": func(m *gateway.Mail) { m.Store = unwritable{m.Store.(*store.DB)} },
		"the price": func(m *gateway.Mail) {
			m.Charge = func(context.Context, string, string, time.Time) error { return store.ErrUnavailable }
		},
	} {
		in := newInbound(t, change)
		if status, body := in.post(t, "/inbound/"+callbackSecret, notice(reported(goodURL))); status != 503 || fmt.Sprint(in.outcomes) != "[failed]" {
			t.Errorf("%s: got %d %s and the outcomes %v, want 503", name, status, body, in.outcomes)
		}
		if n := len(in.files(t)); n != 0 || len(in.arrived) != 0 {
			t.Errorf("%s: %d files are stored", name, n)
		}
	}
}

func TestFilesAreOnHostsOfTheVendorOnly(t *testing.T) {
	t.Parallel()
	for _, hosts := range []struct {
		list   []string
		vendor string
		good   []string
		bad    []string
	}{
		{nil, "https://api.casparser.in", []string{
			goodURL, "https://casparser.in/a", "https://a.b.casparser.in:443/a", "HTTPS://FILES.CasParser.in/a",
		}, []string{
			"", "x", "/a.pdf", "http://files.casparser.in/a", "ftp://casparser.in/a", "//casparser.in/a", "https:casparser.in/a", "https://evil.example/", "https://in/a",
			"https://evilcasparser.in/a", "https://casparser.in.evil.example/a", "https://casparser.in@evil.example/a", "https://user:pass@casparser.in/a",
			"https://casparser.in:8443/a", "https://casparser.in:22/a", "https://casparser.in:/a", "https://casparser.in./a", "https://.casparser.in/a", "https://casparser.in/a#b",
			`https://casparser.in\@evil.example/a`, "https://evil.example%2f.casparser.in/a", "https://evil.example#.casparser.in/a", "https://evil.example?.casparser.in/a",
			"http://169.254.169.254/", "https://169.254.169.254/", "https://[fd00:ec2::254]/", "https://127.0.0.1/", "https://localhost/a", "http://127.0.0.1:8080/", "https://2852039166/",
			"file:///etc/passwd", "javascript:alert(1)", "data:application/pdf,x", "https://casparser.in\t/a", "https://с.casparser.in/a",
		}},
		{nil, "https://vendor.co.in/api", []string{"https://vendor.co.in/a", "https://f.vendor.co.in/a"}, []string{"https://other.co.in/a", "https://co.in/a"}},
		{nil, "https://vendor", []string{"https://vendor/a"}, []string{"https://a.vendor/a"}},
		{[]string{"bucket.s3.example", "files.example:8443"}, "https://api.casparser.in",
			[]string{"https://bucket.s3.example/a", "https://files.example:8443/a"},
			[]string{goodURL, "https://a.bucket.s3.example/a", "https://files.example/a", "https://other.s3.example/a"}},
		{nil, "http://127.0.0.1:8090", []string{"http://127.0.0.1:8090/a", "http://localhost:8090/a"}, []string{
			"http://127.0.0.1:8091/a", "http://127.0.0.1/a", "http://192.0.2.1:8090/", "http://localhost.evil.example:8090/", "https://127.0.0.1:8090/a", goodURL,
		}},
	} {
		f := gateway.NewFileHosts(hosts.list, hosts.vendor)
		for _, url := range hosts.good {
			if !f.Allow(url) {
				t.Errorf("vendor %s, hosts %q: %q is refused", hosts.vendor, hosts.list, url)
			}
		}
		for _, url := range hosts.bad {
			if f.Allow(url) {
				t.Errorf("vendor %s, hosts %q: %q is allowed", hosts.vendor, hosts.list, url)
			}
		}
	}
}

func FuzzCallback(f *testing.F) {
	f.Add([]byte(notice(reported(goodURL))))
	f.Add([]byte(`{"inbound_email_id":"ie_1","files":[{"message_id":"1","filename":"a","url":"https://casparser.in","expires_in":-1e999}]}`))
	in := &gateway.Inbound{
		Mail: &gateway.Mail{Now: func() time.Time { return callbackAt }}, Reference: func(string) string { return "" },
		FileHosts: gateway.NewFileHosts(nil, "https://api.casparser.in"),
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		files, err := gateway.ReadCallback(in, gateway.MailAddress{ID: "ie_1"}, body)
		if err != nil && files != nil {
			t.Error("files with an error")
		}
		for _, file := range files {
			if file.MessageID == "" || file.Name == "" || file.ExpiresAt.Before(callbackAt) || file.ExpiresAt.After(callbackAt.Add(8*24*time.Hour)) || bytes.Contains(file.Members["url"], []byte("http:")) {
				t.Errorf("got %+v", file)
			}
		}
	})
}
