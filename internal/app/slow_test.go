package app_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// slowSender is a caller that announces a large body, sends its start, and then nothing.
type slowSender struct {
	conn net.Conn
	head string
}

// sendSlowly sends the start of a body of 9 MB. header are lines.
func (b *broker) sendSlowly(t *testing.T, path, start string, header ...string) *slowSender {
	t.Helper()
	at, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := &slowSender{conn, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n%s\r\n\r\n", path, at.Host, 9<<20, strings.Join(header, "\r\n"))}
	if _, err := conn.Write([]byte(s.head + start)); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantRefused fails the test unless the answer is 408 with code, on a connection that is
// closed then.
func (s *slowSender) wantRefused(t *testing.T, code string) {
	t.Helper()
	_ = s.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(s.conn), nil)
	if err != nil {
		t.Errorf("got %v, want an answer to %q", err, s.head)
		return
	}
	var text strings.Builder
	_, _ = bufio.NewReader(res.Body).WriteTo(&text)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout || !strings.Contains(text.String(), `"`+code+`"`) || !res.Close {
		t.Errorf("got %d %s, closed %t; want 408 %s and an end of the connection", res.StatusCode, text.String(), res.Close, code)
	}
}

func TestSlowSendersAreRefusedAndOthersAreServed(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeGateway
		settings.Server.BodyGrace = time.Second
		b := start(t, settings)
		jsonType := "Content-Type: application/json"
		pdf, kind := form("cdsl", "ABCDE1234F", 500<<10)
		document := string(pdf[:300<<10])
		kind = "Content-Type: " + kind
		slow := map[*slowSender]string{}
		for i := range 4 {
			who := "Authorization: Bearer " + bearer(t, fmt.Sprint("slow-", i))
			gatewayKey := "X-Api-Key: " + b.gatewayToken(t, fmt.Sprint("slow-", i), "").AccessToken
			slow[b.sendSlowly(t, "/v1/portfolios", strings.Repeat(" ", 300<<10), jsonType, who)] = "body_too_slow"
			slow[b.sendSlowly(t, "/v1/statements", document, kind, who)] = "body_too_slow"
			slow[b.sendSlowly(t, "/v1/statements", document, kind, who, "Prefer: respond-async")] = "body_too_slow"
			slow[b.sendSlowly(t, "/v1/token", "{", jsonType, who)] = "body_too_slow"
			slow[b.sendSlowly(t, "/gateway/v4/smart/parse", document, kind, gatewayKey)] = "BODY_TOO_SLOW"
		}
		b.post(t, "asha", statementJSON("CAMS", "AAAPZ9999A", "01", `[{"name":"Example Flexi Cap","units":1,"value":10}]`)+strings.Repeat(" ", 1<<20), 201)
		b.upload(t, "ravi", "cdsl", "ABCDE1234F").must(t, 201)
		b.upload(t, "meera", "cdsl", "ABCDE1234F", "Prefer", "respond-async").must(t, 202)
		for s, code := range slow {
			s.wantRefused(t, code)
		}
	})
}

// readSlowly asks for an export and reads only the headers of the answer.
func (b *broker) readSlowly(t *testing.T, path, credential string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	res, err := new(http.Transport).RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusOK || res.ContentLength < 0 {
		t.Fatalf("got %v, %v, want an export whose length is known", err, res)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func TestSlowReadersOfExportsDoNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Store.ExportDir = t.TempDir()
		b := start(t, settings)
		var rows strings.Builder
		for i := range 4000 {
			fmt.Fprintf(&rows, `{"name":"Example Fund %d of many","units":1,"value":10},`, i)
		}
		large := statementJSON("CAMS", "AAAPZ9999A", "01", "["+strings.TrimSuffix(rows.String(), ",")+"]")
		var slow []*http.Response
		for i := range 4 {
			who := fmt.Sprint("slow-", i)
			b.post(t, who, large, 201)
			slow = append(slow, b.readSlowly(t, "/v1/me/export", bearer(t, who)))
		}
		b.post(t, "asha", large, 201)
		b.call(t, "asha", http.MethodGet, "/v1/me/export", "").must(t, 200)
		for _, res := range slow {
			var export struct {
				Portfolios []struct {
					Holdings []any `json:"holdings"`
				} `json:"portfolios"`
			}
			if err := json.NewDecoder(res.Body).Decode(&export); err != nil || len(export.Portfolios) != 1 || len(export.Portfolios[0].Holdings) != 4000 {
				t.Errorf("got %v with %d portfolios, want one with all holdings", err, len(export.Portfolios))
			}
		}
		if left, err := os.ReadDir(settings.Store.ExportDir); err != nil || len(left) > 0 {
			t.Errorf("got %v, %v in store.export_dir, want nothing", left, err)
		}
	})
}

func TestFolderOfExportsMustBeWritable(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Store.ExportDir = filepath.Join(t.TempDir(), "missing")
	if _, err := app.New(t.Context(), settings, app.Options{LogTo: io.Discard}); err == nil || !strings.HasPrefix(err.Error(), "store.export_dir: ") {
		t.Errorf("got %v, want an error about store.export_dir", err)
	}
}
