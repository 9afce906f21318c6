package app_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
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
		json := "Content-Type: application/json"
		pdf, kind := form("cdsl", "ABCDE1234F", 500<<10)
		document := string(pdf[:300<<10])
		kind = "Content-Type: " + kind
		slow := map[*slowSender]string{}
		for i := range 4 {
			who := "Authorization: Bearer " + bearer(t, fmt.Sprint("slow-", i))
			gatewayKey := "X-Api-Key: " + b.gatewayToken(t, fmt.Sprint("slow-", i), "").AccessToken
			slow[b.sendSlowly(t, "/v1/portfolios", strings.Repeat(" ", 300<<10), json, who)] = "body_too_slow"
			slow[b.sendSlowly(t, "/v1/statements", document, kind, who)] = "body_too_slow"
			slow[b.sendSlowly(t, "/v1/statements", document, kind, who, "Prefer: respond-async")] = "body_too_slow"
			slow[b.sendSlowly(t, "/v1/token", "{", json, who)] = "body_too_slow"
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
