package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	benchAddress    = "ie_benchmark"
	uploadSize      = 5 << 20
	uploadClients   = 8
	memoryClients   = 32
	coldConnections = 4
)

// gatewayServers are those that the gateway is measured with.
type gatewayServers struct {
	bare, broker *process
	saving       *process // a broker that also saves the statements that it sees
	direct       *process // a broker that hands out the vendor's tokens
}

// passed is one kind of call, made through both servers.
type passed struct {
	name          string
	call          func(prefix, token string) requests
	broker        *process
	n, clients    int
	bytes         int // of a body
	bare, gateway []figures
	cpu           [2]float64 // seconds that bare and the broker used
}

// measureGateway compares the gateway with a bare reverse proxy, and measures how long new
// users wait for a token and how much memory uploads take.
func measureGateway(ctx context.Context, p plan, start starter) error {
	s, err := startGateway(start)
	if err != nil {
		return err
	}
	form := newForm(uploadSize)
	token, err := prepareGateway(ctx, s.saving)
	if err != nil {
		return err
	}
	// First, while the broker is fresh.
	if _, err := load(ctx, s.saving.address, form.call("/gateway", token), 5*memoryClients, memoryClients); err != nil {
		return err
	}
	peak := s.saving.peak()
	calls := []*passed{
		{name: "small JSON, no credits", call: addressCall, broker: s.broker, n: p.requests / 5, clients: p.connections},
		{name: "the same, one at a time", call: addressCall, broker: s.broker, n: p.requests / 50, clients: 1},
		{name: "small JSON, with credits", call: generateCall, broker: s.broker, n: p.requests / 25, clients: p.connections},
		{name: "the same, one at a time", call: generateCall, broker: s.broker, n: p.requests / 100, clients: 1},
		{name: "uploads of 5 MB", call: form.call, broker: s.broker, n: 25 * uploadClients, clients: uploadClients, bytes: uploadSize},
		{name: "the same, saved", call: form.call, broker: s.saving, n: 25 * uploadClients, clients: uploadClients, bytes: uploadSize},
	}
	tokenOf := map[*process]string{s.saving: token}
	if tokenOf[s.broker], err = prepareGateway(ctx, s.broker); err != nil {
		return err
	}
	for range p.rounds {
		for _, c := range calls {
			if err := c.measure(ctx, s.bare, tokenOf[c.broker]); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	cold, err := coldTokens(ctx, s.broker.address, 500)
	if err != nil {
		return fmt.Errorf("tokens of new users: %w", err)
	}
	slow, err := coldTokens(ctx, s.direct.address, 20)
	if err != nil {
		return fmt.Errorf("direct tokens of new users: %w", err)
	}
	reportGateway(calls)
	fmt.Printf("\n%d uploads of 5 MB at once: the broker used %.0f MB of memory at most\n", memoryClients, peak)
	fmt.Printf("tokens of new users, with a vendor that takes %s: p50 %s, p99 %s; direct tokens: p50 %s\n",
		mintTime, short(cold.p50), short(cold.p99), short(slow.p50))
	return nil
}

// startGateway starts a stub vendor, a bare proxy and brokers in front of it.
func startGateway(start starter) (s gatewayServers, err error) {
	me, err := self()
	if err != nil {
		return s, err
	}
	none := func(string, string) []string { return nil }
	vendor, err := start("stub", none, me, vendorCommand, "ADDRESS")
	if err != nil {
		return s, err
	}
	if s.bare, err = start("bare", none, me, proxyCommand, "ADDRESS", "http://"+vendor.address); err != nil {
		return s, err
	}
	for _, b := range []struct {
		to         **process
		name, mode string
		capture    string
	}{{&s.broker, "gateway", "gateway", "off"}, {&s.saving, "saving", "gateway", "save"}, {&s.direct, "direct", "direct", "off"}} {
		environ := func(address, folder string) []string {
			return append(brokerEnvironment(address, folder, "memory", "http://"+vendor.address, apiKey),
				"CASBROKER_TOKEN_MODE="+b.mode, "CASBROKER_GATEWAY_CAPTURE="+b.capture)
		}
		if *b.to, err = start(b.name, environ, brokerProgram, "serve"); err != nil {
			return s, err
		}
	}
	return s, nil
}

// prepareGateway returns a token of a user who has a forwarding address.
func prepareGateway(ctx context.Context, broker *process) (string, error) {
	jwts, err := tokens(1, 1)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := post(ctx, broker.address, "/v1/token", "Authorization", "Bearer "+jwts[0], &answer); err != nil {
		return "", err
	}
	return answer.Token, post(ctx, broker.address, "/gateway/v4/inbound-email", "X-Api-Key", answer.Token, &answer)
}

var client = &http.Client{Timeout: 10 * time.Second}

// post sends an empty object and reads the answer into v.
func post(ctx context.Context, address, path, header, value string, v any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	r.Header.Set(header, value)
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s: got %d: %s", path, res.StatusCode, body)
	}
	return errors.Join(err, json.Unmarshal(body, v))
}

// addressCall asks for a forwarding address, which costs no credits.
func addressCall(prefix, token string) requests {
	head := fmt.Appendf(nil, "GET %s/v4/inbound-email/%s HTTP/1.1\r\nHost: broker\r\nX-Api-Key: %s\r\n\r\n", prefix, benchAddress, token)
	return func([]byte, int64) (request, body []byte) { return head, nil }
}

// generateCall has a statement mailed, which costs credits.
func generateCall(prefix, token string) requests {
	const object = `{"email":"asha@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`
	head := fmt.Appendf(nil, "POST %s/v4/generate HTTP/1.1\r\nHost: broker\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		prefix, token, len(object), object)
	return func([]byte, int64) (request, body []byte) { return head, nil }
}

// uploadForm is a form with a PDF.
type uploadForm struct {
	contentType string
	body        []byte
}

func newForm(size int) uploadForm {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	file, _ := w.CreateFormFile("pdf_file", "statement.pdf") // a buffer takes everything
	content := make([]byte, size)
	for i := range content { // as compressed streams of a PDF
		content[i] = byte(i * i >> 7 & 0xff)
	}
	copy(content, "%PDF-1.4\n")
	_, _ = file.Write(content)
	_ = w.WriteField("password", "ABCDE1234F")
	_ = w.Close()
	return uploadForm{w.FormDataContentType(), b.Bytes()}
}

func (f uploadForm) call(prefix, token string) requests {
	head := fmt.Appendf(nil, "POST %s/v4/smart/parse HTTP/1.1\r\nHost: broker\r\nX-Api-Key: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		prefix, token, f.contentType, len(f.body))
	return func([]byte, int64) (request, body []byte) { return head, f.body }
}

// measure makes the calls through both servers, one after the other.
func (c *passed) measure(ctx context.Context, proxy *process, token string) error {
	before := [2]float64{proxy.cpu(), c.broker.cpu()}
	bare, err := load(ctx, proxy.address, c.call("", token), c.n, c.clients)
	if err != nil {
		return err
	}
	through, err := load(ctx, c.broker.address, c.call("/gateway", token), c.n, c.clients)
	c.bare, c.gateway = append(c.bare, bare), append(c.gateway, through)
	c.cpu[0] += proxy.cpu() - before[0]
	c.cpu[1] += c.broker.cpu() - before[1]
	return err
}

// coldTokens requests a token for each of n users who have none.
func coldTokens(ctx context.Context, address string, n int) (figures, error) {
	jwts, err := tokens(2*n, 2*n)
	if err != nil {
		return figures{}, err
	}
	return load(ctx, address, tokenRequests(jwts[n:]), n, coldConnections)
}

// peak returns the greatest resident memory of the process so far in MB, 0 if unknown.
func (p *process) peak() float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)) // Linux only
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseFloat(kb, 64)
	return n / 1024
}

// cpu returns the processor time of the process so far in seconds, 0 if unknown.
func (p *process) cpu() float64 {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)) // Linux only
	fields := strings.Fields(string(stat))
	if len(fields) < 15 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[13], 64)
	system, _ := strconv.ParseFloat(fields[14], 64)
	return (user + system) / 100
}

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

// reportGateway prints the comparison as a table. The ratio is the median of the rounds'.
func reportGateway(calls []*passed) {
	fmt.Printf("\n%-28s %12s %12s %10s %10s %9s %9s\n", "Calls through the gateway", "bare/s", "gateway/s", "bare p50", "p50", "of bare", "CPU")
	for _, c := range calls {
		ratios := make([]float64, len(c.bare))
		for i := range ratios {
			ratios[i] = c.gateway[i].perSecond / c.bare[i].perSecond
		}
		slices.Sort(ratios)
		b, g := median(c.bare), median(c.gateway)
		if c.bytes > 0 {
			mb := float64(c.bytes) / 1e6
			fmt.Printf("%-28s %7.0f MB/s %7.0f MB/s", c.name, b.perSecond*mb, g.perSecond*mb)
		} else {
			fmt.Printf("%-28s %12.0f %12.0f", c.name, b.perSecond, g.perSecond)
		}
		fmt.Printf(" %10s %10s %9.2f %9.2f\n", short(b.p50), short(g.p50), ratios[len(ratios)/2], c.cpu[1]/c.cpu[0])
	}
}
