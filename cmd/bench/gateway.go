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
	smallUploadSize = 60 << 10
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

// passed is one kind of call, made in two ways.
type passed struct {
	name       string
	n, clients int
	bytes      int // of a body
	base, ours way
}

// way is how calls are made, and how fast they were.
type way struct {
	server *process
	call   requests
	rounds []figures
	cpu    float64 // seconds that the server used
}

// calls are pairs of ways for the same calls.
type calls struct {
	s      gatewayServers
	tokens map[*process]string
	list   []*passed
}

// add adds calls through the bare proxy and the gateway of broker.
func (c *calls) add(p passed, broker *process, call func(prefix, token string) requests) {
	token := c.tokens[broker]
	p.base, p.ours = way{server: c.s.bare, call: call("", token)}, way{server: broker, call: call("/gateway", token)}
	c.list = append(c.list, &p)
}

// addStatements adds uploads of form through the gateway and to POST /v1/statements.
func (c *calls) addStatements(p passed, form uploadForm, jwt string) {
	p.base = way{server: c.s.saving, call: form.call("/gateway", c.tokens[c.s.saving])}
	p.ours = way{server: c.s.saving, call: form.statement(jwt)}
	p.bytes = len(form.body)
	c.list = append(c.list, &p)
}

// measureGateway compares the gateway with a bare reverse proxy, and measures how long new
// users wait for a token and how much memory uploads take.
func measureGateway(ctx context.Context, p plan, start starter) error {
	s, err := startGateway(start)
	if err != nil {
		return err
	}
	form, small := newForm(uploadSize), newForm(smallUploadSize)
	token, err := prepareGateway(ctx, s.saving)
	if err != nil {
		return err
	}
	// First, while the broker is fresh.
	if _, err := load(ctx, s.saving.address, form.call("/gateway", token), 5*memoryClients, memoryClients); err != nil {
		return err
	}
	peak := s.saving.peak()
	through := calls{s: s, tokens: map[*process]string{s.saving: token}}
	if through.tokens[s.broker], err = prepareGateway(ctx, s.broker); err != nil {
		return err
	}
	jwts, err := tokens(1, 1)
	if err != nil {
		return err
	}
	through.add(passed{name: "small JSON, no credits", n: p.requests / 5, clients: p.connections}, s.broker, addressCall)
	through.add(passed{name: "the same, one at a time", n: p.requests / 50, clients: 1}, s.broker, addressCall)
	through.add(passed{name: "small JSON, with credits", n: p.requests / 25, clients: p.connections}, s.broker, generateCall)
	through.add(passed{name: "the same, one at a time", n: p.requests / 100, clients: 1}, s.broker, generateCall)
	through.add(passed{name: "uploads of 5 MB", n: 25 * uploadClients, clients: uploadClients, bytes: uploadSize}, s.broker, form.call)
	through.add(passed{name: "the same, saved", n: 25 * uploadClients, clients: uploadClients, bytes: uploadSize}, s.saving, form.call)
	through.add(passed{name: "uploads of 60 kB, saved", n: p.requests / 100, clients: uploadClients, bytes: smallUploadSize}, s.saving, small.call)
	statements := calls{s: s, tokens: through.tokens}
	statements.addStatements(passed{name: "5 MB", n: 25 * uploadClients, clients: uploadClients}, form, jwts[0])
	statements.addStatements(passed{name: "60 kB", n: p.requests / 100, clients: uploadClients}, small, jwts[0])
	for range p.rounds {
		for _, c := range slices.Concat(through.list, statements.list) {
			if err := c.measure(ctx); err != nil {
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
	reportGateway("Calls through the gateway", "bare", "gateway", through.list)
	reportGateway("Uploads to /v1/statements", "gateway", "ours", statements.list)
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

// generateBody has a statement of the investor mailed.
const generateBody = `{"email":"asha@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`

// generateCall has a statement mailed, which costs credits.
func generateCall(prefix, token string) requests {
	head := fmt.Appendf(nil, "POST %s/v4/generate HTTP/1.1\r\nHost: broker\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		prefix, token, len(generateBody), generateBody)
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

// statement sends the form to POST /v1/statements.
func (f uploadForm) statement(jwt string) requests {
	head := fmt.Appendf(nil, "POST /v1/statements HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		jwt, f.contentType, len(f.body))
	return func([]byte, int64) (request, body []byte) { return head, f.body }
}

// measure makes the calls in both ways, one after the other.
func (c *passed) measure(ctx context.Context) error {
	for _, w := range []*way{&c.base, &c.ours} {
		before := w.server.cpu()
		f, err := load(ctx, w.server.address, w.call, c.n, c.clients)
		if err != nil {
			return err
		}
		w.rounds = append(w.rounds, f)
		w.cpu += w.server.cpu() - before
	}
	return nil
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
func reportGateway(title, base, ours string, list []*passed) {
	fmt.Printf("\n%-28s %12s %12s %11s %10s %10s %9s\n", title, base+"/s", ours+"/s", base+" p50", "p50", "of "+base, "CPU")
	for _, c := range list {
		ratios := make([]float64, len(c.base.rounds))
		for i := range ratios {
			ratios[i] = c.ours.rounds[i].perSecond / c.base.rounds[i].perSecond
		}
		slices.Sort(ratios)
		b, g := median(c.base.rounds), median(c.ours.rounds)
		if c.bytes > 0 {
			mb := float64(c.bytes) / 1e6
			fmt.Printf("%-28s %7.0f MB/s %7.0f MB/s", c.name, b.perSecond*mb, g.perSecond*mb)
		} else {
			fmt.Printf("%-28s %12.0f %12.0f", c.name, b.perSecond, g.perSecond)
		}
		fmt.Printf(" %11s %10s %10.2f %9.2f\n", short(b.p50), short(g.p50), ratios[len(ratios)/2], c.ours.cpu/c.base.cpu)
	}
}
