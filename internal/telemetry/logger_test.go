package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/secret"
	"casbroker/internal/telemetry"
)

// Synthetic secrets and personal data.
const (
	apiKey = "key/with+odd\"chars-5f2c"
	jwt    = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhc2hhIn0.c2lnbmF0dXJlLW5vdC1yZWFs"
	token  = "at_9f86d081884c7d65.9a2f~x/y+z="
	pan    = "AAAPZ9999A"
	demat  = "1208160099999999"
)

// logged returns what one call of log writes as JSON, and the line itself.
func logged(t *testing.T, log func(*slog.Logger)) (record map[string]any, line string) {
	t.Helper()
	var out bytes.Buffer
	log(telemetry.NewLogger(&out, telemetry.LogOptions{Secrets: []secret.Text{apiKey}}))
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	return record, out.String()
}

func TestSecretIsHiddenHoweverItIsLogged(t *testing.T) {
	t.Parallel()
	type investor struct {
		Name string `json:"name"`
		PAN  string `json:"pan"`
		Memo string `json:"memo"`
	}
	ways := map[string]func(l *slog.Logger, s string){
		"in the message":          func(l *slog.Logger, s string) { l.Info("called with " + s + ".") },
		"as an attribute":         func(l *slog.Logger, s string) { l.Info("m", "note", s) },
		"under a secret's key":    func(l *slog.Logger, s string) { l.Info("m", "X-Api-Key", s) },
		"in an error":             func(l *slog.Logger, s string) { l.Info("m", "error", fmt.Errorf("call: %w", errors.New(s))) },
		"in a group":              func(l *slog.Logger, s string) { l.Info("m", slog.Group("g", "n", 1, slog.Group("h", "note", s))) },
		"in a logger's attribute": func(l *slog.Logger, s string) { l.With("note", s).Info("m") },
		"in a logger's group":     func(l *slog.Logger, s string) { l.WithGroup("g").With("note", s).Info("m", "again", s) },
		"in a struct":             func(l *slog.Logger, s string) { l.Info("m", "who", investor{Name: "Asha", PAN: s, Memo: s}) },
		"in a slice":              func(l *slog.Logger, s string) { l.Info("m", "all", []string{"a", s}) },
		"in a map":                func(l *slog.Logger, s string) { l.Info("m", "all", map[string]any{"list": []any{1, s}}) },
		"as a map's key":          func(l *slog.Logger, s string) { l.Info("m", "all", map[string]int{s: 1}) },
		"in headers":              func(l *slog.Logger, s string) { l.Info("m", "h", http.Header{"Authorization": {"Bearer " + s}}) },
		"as bytes":                func(l *slog.Logger, s string) { l.Info("m", "body", []byte(s)) },
		"as raw JSON":             func(l *slog.Logger, s string) { l.Info("m", "body", json.RawMessage(`{"password":"`+s+`"}`)) },
		"by LogValue":             func(l *slog.Logger, s string) { l.Info("m", "v", valuer(s)) },
		"quoted":                  func(l *slog.Logger, s string) { l.Info(fmt.Sprintf("got %q", "a\n"+s+"\n")) },
		"escaped in a URL":        func(l *slog.Logger, s string) { l.Info("GET /x?q%3D" + s) },
	}
	for kind, s := range map[string]string{"access token": token, "JWT": jwt, "PAN": pan, "demat account": demat} {
		for way, log := range ways {
			if _, line := logged(t, func(l *slog.Logger) { log(l, s) }); strings.Contains(line, s) {
				t.Errorf("%s %s: got %s, want it hidden", kind, way, line)
			}
		}
	}
}

func TestRegisteredSecretIsHiddenInEveryForm(t *testing.T) {
	t.Parallel()
	for _, form := range []string{
		apiKey, "prefix" + apiKey + "suffix", fmt.Sprintf("%q", apiKey),
		"https://example.com/?key=key%2Fwith%2Bodd%22chars-5f2c",
	} {
		_, line := logged(t, func(l *slog.Logger) { l.Info(form, "a", form) })
		if strings.Contains(line, "5f2c") {
			t.Errorf("%s: got %s, want it hidden", form, line)
		}
	}
}

type valuer string

func (v valuer) LogValue() slog.Value { return slog.GroupValue(slog.String("inner", string(v))) }

func TestOtherValuesAreLoggedUnchanged(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 4, 1, 9, 30, 0, 0, time.UTC)
	record, _ := logged(t, func(l *slog.Logger) {
		l.With("service", "broker").Info("request answered", "method", "GET", "status", 200, "elapsed", time.Second, "at", at,
			"unix_ms", int64(1743499800000), "grant_id", "gr_01jqrk3v5e8w9xg2y4z6a7b8c9", "span", "a", "tokens_cached", 5,
			"has_token", true, "password", "", "nothing", nil, "route", "/v1/portfolios/:id",
			"list", []string{"a", "b"}, "struct", struct{ A, B int }{1, 2}, slog.Group("g", "n", 1.5))
	})
	delete(record, "time")
	want := map[string]any{
		"level": "INFO", "msg": "request answered", "service": "broker", "method": "GET", "status": 200.0, "elapsed": 1e9,
		"at": "2025-04-01T09:30:00Z", "unix_ms": 1743499800000.0, "grant_id": "gr_01jqrk3v5e8w9xg2y4z6a7b8c9", "span": "a",
		"tokens_cached": 5.0, "has_token": true, "password": "", "nothing": nil, "route": "/v1/portfolios/:id",
		"list": []any{"a", "b"}, "struct": map[string]any{"A": 1.0, "B": 2.0}, "g": map[string]any{"n": 1.5},
	}
	if got, want := fmt.Sprint(record), fmt.Sprint(want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSecretKeysAreRecognizedInAnySpelling(t *testing.T) {
	t.Parallel()
	for key, hidden := range map[string]bool{
		"authorization": true, "Proxy-Authorization": true, "Set-Cookie": true, "x-api-key": true, "apiKey": true,
		"upstream.api_key": true, "accessToken": true, "a_very_long_name_for_an_access_token": true, "PAN": true,
		"pan_no": true, "pdf_password": true, "client-secret": true, "JWT": true, "folio_number": true,
		"span": false, "japan": false, "key": false, "token_count": false, "secretary": false, "idempotency_key": false, "": false,
	} {
		_, line := logged(t, func(l *slog.Logger) { l.Info("m", key, "plain") })
		if got := !strings.Contains(line, "plain"); got != hidden {
			t.Errorf("%q hidden: got %v, want %v", key, got, hidden)
		}
	}
}

func TestUnloggableValueIsNamedByItsType(t *testing.T) {
	t.Parallel()
	record, _ := logged(t, func(l *slog.Logger) {
		l.Info("m", "func", func() {}, "nil", error((*brokenError)(nil)), "bytes", []byte("12345"))
	})
	if record["func"] != "[unloggable func()]" || record["nil"] != "[unloggable *telemetry_test.brokenError]" ||
		record["bytes"] != "[5 bytes]" {
		t.Errorf("got %v", record)
	}
}

type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }

func TestRecordsOfARequestHaveItsID(t *testing.T) {
	t.Parallel()
	ctx := telemetry.WithRequestID(t.Context(), "req_abc123")
	for name, log := range map[string]func(*slog.Logger){
		"from the context":              func(l *slog.Logger) { l.InfoContext(ctx, "m", "a", 1) },
		"next to a hidden value":        func(l *slog.Logger) { l.InfoContext(ctx, "m", "password", "x") },
		"once, if the call also has it": func(l *slog.Logger) { l.InfoContext(ctx, "m", "request_id", "req_abc123") },
		"once, if the logger has it": func(l *slog.Logger) {
			l.With("request_id", "req_abc123").InfoContext(ctx, "m")
		},
	} {
		record, line := logged(t, log)
		if record["request_id"] != "req_abc123" || strings.Count(line, "request_id") != 1 {
			t.Errorf("%s: got %s", name, line)
		}
	}
	if _, line := logged(t, func(l *slog.Logger) { l.Info("m") }); strings.Contains(line, "request_id") {
		t.Errorf("without a request: got %s, want no request id", line)
	}
}

func TestTextLogHidesTheSameValues(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := telemetry.NewLogger(&out, telemetry.LogOptions{Format: telemetry.FormatText, Level: slog.LevelDebug})
	l.Debug("key is "+token, "who", map[string]string{"pan": pan, "memo": "of " + pan})
	const want = `level=DEBUG msg="key is [access token]" who="{\"memo\":\"of [pan]\",\"pan\":\"[redacted]\"}"`
	if !strings.HasSuffix(out.String(), want+"\n") {
		t.Errorf("got %s", out.String())
	}
}

func TestRecordsBelowTheLevelAreNotLogged(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	level := &slog.LevelVar{}
	l := telemetry.NewLogger(&out, telemetry.LogOptions{Level: level})
	l.Debug("too fine")
	level.Set(slog.LevelDebug)
	l.Debug("now wanted")
	if got := out.String(); strings.Contains(got, "too fine") || !strings.Contains(got, "now wanted") {
		t.Errorf("got %s", got)
	}
}

// BenchmarkAccessLogLine compares slog without and with hiding with ours on the line that is
// written for each request.
func BenchmarkAccessLogLine(b *testing.B) {
	redacted := telemetry.NewLogger(io.Discard, telemetry.LogOptions{Secrets: []secret.Text{apiKey, "another-secret-of-ours"}})
	for name, l := range map[string]*slog.Logger{
		"slog": slog.New(slog.NewJSONHandler(io.Discard, nil)), "slog, redacted": redacted.With("derived", true), "ours": redacted,
	} {
		b.Run(name, func(b *testing.B) {
			ctx := telemetry.WithRequestID(context.Background(), "req_k3mz8wabcdefgh234567")
			b.ReportAllocs()
			for b.Loop() {
				telemetry.LogAccess(ctx, l, slog.LevelInfo, telemetry.Access{
					RequestID: "req_k3mz8wabcdefgh234567", Method: "POST", Route: "/v1/token", Status: 200, At: time.Now(),
					Took: 1234567, Bytes: 512, Address: "203.0.113.7", Subject: "demo:asha",
				})
			}
		})
	}
}

func TestSecretThatIsAddedLaterIsHidden(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, telemetry.LogOptions{Secrets: []secret.Text{apiKey}})
	derived := log.With("job", "check")
	telemetry.HideSecret(log, "new-key-of-the-vendor")
	for _, l := range []*slog.Logger{log, derived} {
		l.Info("uses new-key-of-the-vendor", "error", "refused new-key-of-the-vendor and "+apiKey)
	}
	if s := out.String(); strings.Contains(s, "of-the-vendor") || strings.Contains(s, apiKey) || strings.Count(s, "[secret]") != 6 {
		t.Errorf("got %s, want no secret", s)
	}
	telemetry.HideSecret(slog.New(slog.DiscardHandler), "another") // has nothing to hide
}
