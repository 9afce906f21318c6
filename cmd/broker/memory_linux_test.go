package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
)

// maxResident is the limit of resident memory while large statements are saved, in kB.
const maxResident = 400 << 10

func TestConcurrentLargeStatementsNeedLittleMemory(t *testing.T) {
	t.Parallel()
	p := build(t)
	p.Start()
	row := `{"name":"Sample Fund %d","isin":"INFZ96K01AB8","type":"Equity","units":1.5,"nav":2,"value":3,"transactions":[` +
		strings.TrimSuffix(strings.Repeat(`{"date":"2026-01-05","type":"PURCHASE_SIP","description":"Systematic Investment Purchase","units":93.615,"nav":80.115,"amount":7500.0,"balance":null},`, 20), ",") + `]},`
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			var b strings.Builder
			b.WriteString(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[{"folio_number":"1/2","schemes":[`)
			for n := 0; b.Len() < 5<<20; n++ {
				fmt.Fprintf(&b, row, 1000*n+i)
			}
			b.WriteString(`{"name":"The last"}]}]}`)
			p.saveWithRetry(brokertest.Token(t, fmt.Sprint("user-", i)), []byte(b.String()))
		})
	}
	all.Wait()
	if kb := p.peak(); kb > maxResident {
		t.Errorf("got %d kB at the peak, want at most %d", kb, maxResident)
	} else {
		t.Logf("%d MB at the peak", kb>>10)
	}
	p.refusesEarly(brokertest.Token(t, "asha"))
}

// saveWithRetry saves payload, retrying after Retry-After while the broker is busy.
func (p *program) saveWithRetry(jwt string, payload []byte) {
	for {
		r, err := p.Call(p.T.Context(), jwt, http.MethodPost, "/v1/portfolios", payload)
		switch {
		case err != nil:
			p.T.Error(err)
			return
		case r.Status == http.StatusCreated:
			return
		case r.Status != http.StatusServiceUnavailable || !strings.Contains(string(r.Body), `"save_busy"`):
			p.T.Errorf("got %d: %s, want 201 or save_busy", r.Status, r.Body)
			return
		}
		seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
		if err != nil {
			p.T.Errorf("Retry-After: %v", err)
			return
		}
		<-time.After(time.Duration(seconds) * time.Second)
	}
}

// peak returns the greatest resident memory of the broker so far, in kB.
func (p *program) peak() int {
	p.T.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		p.T.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				p.T.Fatal(err)
			}
			return kb
		}
	}
	p.T.Fatalf("no VmHWM in %s", status)
	return 0
}

// refusesEarly fails the test unless a body of 12 MB is refused before it was sent.
func (p *program) refusesEarly(jwt string) {
	p.T.Helper()
	conn, err := new(net.Dialer).DialContext(p.T.Context(), "tcp", p.Address)
	if err != nil {
		p.T.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /v1/portfolios HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", jwt, 12<<20)
	if err != nil {
		p.T.Fatal(err)
	}
	if status, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(status, " 413 ") {
		p.T.Errorf("a body of 12 MB that was not sent: got %q, %v, want 413", status, err)
	}
}
