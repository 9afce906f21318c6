package app_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
)

// savedStatement is the answer of POST /v1/statements.
type savedStatement struct {
	ID         string          `json:"id"`
	Created    bool            `json:"created"`
	Provenance string          `json:"provenance"`
	CASType    string          `json:"cas_type"`
	Data       json.RawMessage `json:"data"`
}

// upload sends a PDF of source to POST /v1/statements. header holds pairs.
func (b *broker) upload(t *testing.T, who, source, password string, header ...string) answer {
	t.Helper()
	body, contentType := form(source, password, 2000)
	return b.call(t, who, http.MethodPost, "/v1/statements", string(body), append([]string{"Content-Type", contentType}, header...)...)
}

const parseCall = "/v4/smart/parse"

func TestUploadedStatementIsAVerifiedPortfolio(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		b := start(t, settings) // with direct tokens, without a gateway
		var first, again savedStatement
		a := b.upload(t, "asha", "cdsl", "ABCDE1234F").must(t, 201)
		a.decode(t, &first)
		if !first.Created || first.Provenance != "verified" || first.CASType != "CDSL" || first.Data != nil ||
			a.header.Get("Location") != "/v1/portfolios/"+first.ID {
			t.Errorf("got %+v, Location %q", first, a.header.Get("Location"))
		}
		b.upload(t, "asha", "cdsl", "ABCDE1234F").must(t, 200).decode(t, &again)
		if again.ID != first.ID || again.Created {
			t.Errorf("got %+v, want the portfolio %s again", again, first.ID)
		}
		inJSON := `{"pdf_file":"` + base64.StdEncoding.EncodeToString([]byte("%PDF-1.4\n% cdsl\n%%EOF\n")) + `","password":"ABCDE1234F"}`
		b.call(t, "asha", http.MethodPost, "/v1/statements", inJSON).must(t, 200).decode(t, &again)
		if again.ID != first.ID || again.Created {
			t.Errorf("got %+v for JSON, want the portfolio %s again", again, first.ID)
		}
		var found observed
		b.call(t, "asha", http.MethodGet, a.header.Get("Location"), "").must(t, 200).decode(t, &found)
		if found.Provenance != "verified" {
			t.Errorf("got %+v", found)
		}
		b.call(t, "rohan", http.MethodGet, a.header.Get("Location"), "").must(t, 404)
		if got := vendor.Calls(parseCall); got != 3 {
			t.Errorf("the vendor got %d calls, want 3", got)
		}
		if u := b.usageOf(t, "asha", 3); u.Total.Credits != "3" {
			t.Errorf("got %+v, want three credits", u)
		}
	})
}

func TestOnSubmitGetsTheParseResult(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Gateway.Capture = config.CaptureOff // which is only for what pages post
		b := start(t, settings)
		var s savedStatement
		a := b.upload(t, "asha", "nsdl", "ABCDE1234F", "Prefer", "return=representation", "Idempotency-Key", "k1").must(t, 201)
		a.decode(t, &s)
		raw := b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+s.ID+"/raw", "").must(t, 200)
		if string(s.Data) != raw.body || a.header.Get("Preference-Applied") != "return=representation" {
			t.Errorf("got data %.80s, want %.80s", s.Data, raw.body)
		}
		// What onSubmit returns goes to onSuccess, which posts it as always.
		if again := b.post(t, "asha", `{"data":`+string(s.Data)+`}`, 200); again.ID != s.ID || again.Provenance != "verified" {
			t.Errorf("got %+v, want the verified portfolio", again)
		}
		replay := b.upload(t, "asha", "nsdl", "ABCDE1234F", "Prefer", "return=representation", "Idempotency-Key", "k1").must(t, 201)
		if replay.body != a.body {
			t.Errorf("got %.100s, want the first answer", replay.body)
		}
		b.upload(t, "asha", "nsdl", "ABCDE1234F", "Prefer", "return=all").must(t, 400)
	})
}

func TestRepeatedUploadReachesTheVendorOnce(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		b := start(t, settings)
		key := []string{"Idempotency-Key", `"an-upload"`}
		b.upload(t, "asha", "cdsl", "wrong", key...).must(t, 422) // frees the key
		first := b.upload(t, "asha", "cdsl", "ABCDE1234F", key...).must(t, 201)
		again := b.upload(t, "asha", "cdsl", "ABCDE1234F", key...).must(t, 201) // with another boundary
		if again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("got %s %v, want the first answer", again.body, again.header)
		}
		for _, other := range [][2]string{{"cdsl", "OTHER1234F"}, {"nsdl", "ABCDE1234F"}} {
			if a := b.upload(t, "asha", other[0], other[1], key...).must(t, 422); !strings.Contains(a.body, "idempotency_key_reused") {
				t.Errorf("got %s", a.body)
			}
		}
		if got := vendor.Calls(parseCall); got != 2 {
			t.Errorf("the vendor got %d calls, want 2", got)
		}
		b.upload(t, "rohan", "cdsl", "ABCDE1234F", key...).must(t, 201) // keys are separate for each user
	})
}

func TestUnreadableStatementIsExplained(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.RateLimit.Upload = config.Limits{}
		b := start(t, settings)
		wrong := b.upload(t, "asha", "cdsl", "wrong").must(t, 422)
		for _, want := range []string{`"invalid_password"`, "Incorrect password for the PDF.", "PAN in capital letters"} {
			if !strings.Contains(wrong.body, want) {
				t.Errorf("got %s, want %q in it", wrong.body, want)
			}
		}
		before := vendor.Calls(parseCall)
		notPDF := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\n" + strings.Repeat("GIF89a", 1000) + "\r\n--x--\r\n"
		for name, c := range map[string]struct{ contentType, body, code string }{
			"not a PDF":      {"multipart/form-data; boundary=x", notPDF, "invalid_pdf"},
			"unknown field":  {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n1\r\n--x--\r\n", "unknown_field"},
			"no document":    {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n1\r\n--x--\r\n", "no_document"},
			"broken form":    {"multipart/form-data; boundary=x", "--x\r\nContent", "invalid_form"},
			"other type":     {"text/plain", "hello", "unsupported_media_type"},
			"urlencoded":     {"application/x-www-form-urlencoded", "pdf_url=https://example.com/a.pdf", "unsupported_media_type"},
			"empty JSON":     {"application/json", "{}", "no_document"},
			"unknown member": {"application/json", `{"pin":1,"pdf_url":"https://example.com/a.pdf"}`, "unknown_field"},
		} {
			a := b.call(t, "asha", http.MethodPost, "/v1/statements", c.body, "Content-Type", c.contentType)
			if a.status < 400 || a.status > 422 || !strings.Contains(a.body, `"`+c.code+`"`) {
				t.Errorf("%s: got %d %s, want %s", name, a.status, a.body, c.code)
			}
		}
		if after := vendor.Calls(parseCall); after != before {
			t.Errorf("the vendor got %d of these", after-before)
		}
		b.upload(t, "", "cdsl", "ABCDE1234F").must(t, 401)
	})
}

func TestServiceUploadsForAUser(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		may := serviceKey(t, &settings, "uploader", []string{"app"}, "statements:write")
		mayNot := serviceKey(t, &settings, "reader", []string{"app"}, "portfolios:read")
		b := start(t, settings)
		body, contentType := form("cdsl", "ABCDE1234F", 2000)
		var s savedStatement
		a := b.as(t, may, http.MethodPost, "/v1/users/app:asha/statements", string(body), "Content-Type", contentType).must(t, 201)
		a.decode(t, &s)
		if got, want := a.header.Get("Location"), "/v1/users/app:asha/portfolios/"+s.ID; got != want {
			t.Errorf("got Location %q, want %q", got, want)
		}
		b.as(t, mayNot, http.MethodPost, "/v1/users/app:asha/statements", string(body), "Content-Type", contentType).must(t, 403)
		if found := b.latest(t, "asha"); found.ID != s.ID || found.Provenance != "verified" {
			t.Errorf("got %+v, want %s", found, s.ID)
		}
	})
}

// statementJob is the answer of GET /v1/jobs/{id}.
type statementJob struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	PortfolioID string `json:"portfolio_id"`
	Created     bool   `json:"created"`
	Problem     struct {
		Status int    `json:"status"`
		Code   string `json:"code"`
	} `json:"problem"`
}

// ended waits for a job of who to end, and returns it.
func (b *broker) ended(t *testing.T, who, location string) (j statementJob) {
	t.Helper()
	within(t, 20*time.Second, "the job has ended", func() bool {
		j = statementJob{}
		b.call(t, who, http.MethodGet, location, "").must(t, 200).decode(t, &j)
		return j.State == "done" || j.State == "failed"
	})
	return j
}

func TestStatementIsParsedAfterTheAnswer(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.RateLimit.Read = config.Limits{}
		b := start(t, settings)
		async := []string{"Prefer", "respond-async", "Idempotency-Key", "one"}
		a := b.upload(t, "asha", "cdsl", "ABCDE1234F", async...).must(t, 202)
		location := a.header.Get("Location")
		j := b.ended(t, "asha", location)
		if j.State != "done" || !j.Created || b.latest(t, "asha").ID != j.PortfolioID {
			t.Errorf("got %+v, want a new portfolio", j)
		}
		if again := b.upload(t, "asha", "cdsl", "ABCDE1234F", async...).must(t, 202); again.header.Get("Location") != location {
			t.Errorf("got %s again, want %s", again.header.Get("Location"), location)
		}
		b.upload(t, "asha", "nsdl", "ABCDE1234F", async...).must(t, 422)
		wrong := b.upload(t, "asha", "cdsl", "wrong", "Prefer", "respond-async").must(t, 202)
		if j := b.ended(t, "asha", wrong.header.Get("Location")); j.State != "failed" || j.Problem.Code != "invalid_password" || j.Problem.Status != 422 {
			t.Errorf("got %+v, want a wrong password", j)
		}
		b.call(t, "rohan", http.MethodGet, location, "").must(t, 404)
		if got := vendor.Calls(parseCall); got != 2 {
			t.Errorf("the vendor got %d calls, want 2", got)
		}
		if a := b.call(t, "asha", http.MethodGet, "/v1/me/export", "").must(t, 200); !strings.Contains(a.body, j.ID) {
			t.Error("the export has no job")
		}
		b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
		b.call(t, "asha", http.MethodGet, location, "").must(t, 404)
	})
}

// fetchCall starts an OTP session.
const fetchCall = `{"pan":"ABCDE1234F","bo_id":"1234567890123456","dob":"1990-01-31"}`

func TestStatementIsFetchedOnlyIfTheSettingsOfferThat(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	a := start(t, settings).call(t, "asha", http.MethodPost, "/v1/statements/fetch", fetchCall).must(t, 403)
	if !strings.Contains(a.body, "feature_not_offered") {
		t.Errorf("got %s", a.body)
	}
}

func TestStatementIsFetchedWithoutAWidget(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Gateway.Features = []string{config.FeatureParse, config.FeatureFetch, config.FeatureGenerate}
		settings.RateLimit.Upload = config.Limits{}
		b := start(t, settings)
		var session struct {
			ID string `json:"session_id"`
		}
		b.call(t, "asha", http.MethodPost, "/v1/statements/fetch", fetchCall).must(t, 200).decode(t, &session)
		verify := "/v1/statements/fetch/" + session.ID + "/verify"
		b.call(t, "rohan", http.MethodPost, verify, `{"otp":"`+sandbox.OTP+`"}`).must(t, 404)
		b.call(t, "asha", http.MethodPost, verify, `{"otp":"000000"}`).must(t, 422)
		b.call(t, "asha", http.MethodPost, verify, `{"otp":"1","pin":"2"}`).must(t, 400)
		var fetched struct {
			Files []struct {
				URL string `json:"url"`
			} `json:"files"`
		}
		b.call(t, "asha", http.MethodPost, verify, `{"otp":"`+sandbox.OTP+`"}`).must(t, 200).decode(t, &fetched)
		if len(fetched.Files) == 0 {
			t.Fatal("no file was fetched")
		}
		var s savedStatement
		b.call(t, "asha", http.MethodPost, "/v1/statements", `{"pdf_url":"`+fetched.Files[0].URL+`","password":"ABCDE1234F"}`).must(t, 201).decode(t, &s)
		if s.Provenance != "verified" || s.CASType != "CDSL" {
			t.Errorf("got %+v", s)
		}
		b.call(t, "asha", http.MethodPost, "/v1/statements/request",
			`{"email":"a@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`).must(t, 200)
	})
}

// TestUploadWithAKeyInFlightIsRefused also asks a replica whose clock is ten minutes ahead: by
// that, the lease of the key has ended. slowVendor fails the test if it is called twice.
func TestUploadWithAKeyInFlightIsRefused(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		url, arrived, release, _ := slowVendor(t)
		settings.Upstream.URL = url
		b := start(t, settings)
		ahead := startAt(t, settings, func() time.Time { return time.Now().Add(10 * time.Minute) })
		first := make(chan int, 1)
		go func() { first <- b.upload(t, "asha", "cdsl", "ABCDE1234F", "Idempotency-Key", "k").status }()
		<-arrived
		for name, replica := range map[string]*broker{"the same": b, "one ahead": ahead} {
			a := replica.upload(t, "asha", "cdsl", "ABCDE1234F", "Idempotency-Key", "k").must(t, 409)
			if !strings.Contains(a.body, "idempotency_in_flight") || a.header.Get("Retry-After") == "" {
				t.Errorf("%s: got %s %v", name, a.body, a.header)
			}
		}
		close(release)
		<-first
	})
}

func TestJobsAreBoundedBySettings(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		url, arrived, release, _ := slowVendor(t)
		settings.Upstream.URL = url
		settings.Statements.MaxJobsPerUser, settings.Statements.MaxJobs = 1, 2
		b := start(t, settings)
		b.upload(t, "asha", "cdsl", "ABCDE1234F", "Prefer", "respond-async").must(t, 202)
		<-arrived
		defer close(release)
		a := b.upload(t, "asha", "nsdl", "ABCDE1234F", "Prefer", "respond-async").must(t, 429)
		if !strings.Contains(a.body, "too_many_jobs") || a.header.Get("Retry-After") == "" {
			t.Errorf("got %s %v, want the limit of a user", a.body, a.header)
		}
	})
}
