package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	readUsers = 200  // each with one statement, read again and again
	manyUsers = 3000 // each with one statement, read in turn: more than the broker keeps answers of
	readRows  = 36   // of each statement

	ownedUsers  = 20 // each with a statement for each month
	ownedMonths = 24
	ownedRows   = 100 // of each statement, in the same accounts
)

// read is one kind of read, and its rounds.
type read struct {
	name   string
	path   func(user int) string
	jwts   []string
	rounds []figures
	// In all rounds:
	requests int
	cpu      float64 // seconds that the server used
}

// measureReads compares reads of saved statements with plain Echo that verifies a JWT, and
// prints the result. The broker keeps its data in SQLite.
func measureReads(ctx context.Context, p plan, start starter) error {
	me, err := self()
	if err != nil {
		return err
	}
	plain, err := start("plain-reads", func(string, string) []string { return nil }, me, baselineCommand, "ADDRESS")
	if err != nil {
		return err
	}
	broker, err := start("reads", func(address, folder string) []string {
		return brokerEnvironment(address, folder, "memory", "http://127.0.0.1:1", apiKey)
	}, brokerProgram, "serve")
	if err != nil {
		return err
	}
	all, err := tokens(readUsers+manyUsers+ownedUsers, readUsers+manyUsers+ownedUsers)
	if err != nil {
		return err
	}
	jwts, many, owners := all[:readUsers], all[readUsers:readUsers+manyUsers], all[readUsers+manyUsers:]
	client := &http.Client{Timeout: time.Minute}
	ids := make([]string, readUsers+manyUsers)
	for i := range ids {
		if ids[i], err = saveStatement(ctx, client, broker.address, all[i], sampleStatement(i, readRows, "2026-03-31")); err != nil {
			return err
		}
	}
	if err := saveMonths(ctx, client, broker.address, owners); err != nil {
		return err
	}
	reads := []*read{
		{name: fmt.Sprintf("GET /v1/portfolios/latest, %d rows", readRows), path: func(int) string { return "/v1/portfolios/latest" }, jwts: jwts},
		{name: fmt.Sprintf("the same, %d users in turn", manyUsers), path: func(int) string { return "/v1/portfolios/latest" }, jwts: many},
		{
			name: fmt.Sprintf("GET /v1/holdings, %d statements of %d rows", ownedMonths, ownedRows),
			path: func(int) string { return "/v1/holdings" }, jwts: owners,
		},
		{
			jwts: jwts,
			name: fmt.Sprintf("GET /v1/portfolios/{id}/holdings, %d rows", readRows),
			path: func(user int) string { return "/v1/portfolios/" + ids[user] + "/holdings?limit=100" },
		},
	}
	base := &read{name: "(c) plain Echo + HS256"}
	for range p.rounds {
		if err := base.measure(ctx, plain, tokenRequests(jwts), p.requests, p.connections); err != nil {
			return err
		}
		for _, r := range reads {
			if err := r.measure(ctx, broker, readRequests(r.path, r.jwts), p.requests/4, p.connections); err != nil {
				return err
			}
		}
	}
	reportReads(p, base, reads, broker.memory(ctx))
	return nil
}

// measure sends n requests to server in another round.
func (r *read) measure(ctx context.Context, server *process, list requests, n, connections int) error {
	before := server.cpu()
	f, err := load(ctx, server.address, list, n, connections)
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	r.rounds, r.requests, r.cpu = append(r.rounds, f), r.requests+n, r.cpu+server.cpu()-before
	return nil
}

// reportReads prints the reads as a table: requests per second, and the processor time of the
// server for each, which other load on the machine changes least.
func reportReads(p plan, base *read, reads []*read, memory float64) {
	fmt.Printf("\nReads of %d users with one statement each, of %d more in turn, and of %d with more statements, SQLite, %d connections, median of %d rounds; the broker used %.0f MB\n\n",
		readUsers, manyUsers, ownedUsers, p.connections, p.rounds, memory)
	fmt.Printf("%-48s %10s %9s %8s %8s %8s\n", "", "requests/s", "p99", "of (c)", "CPU", "of (c)")
	plain := median(base.rounds)
	for _, r := range append([]*read{base}, reads...) {
		f := median(r.rounds)
		cpu, plainCPU := r.cpu/float64(r.requests), base.cpu/float64(base.requests)
		fmt.Printf("%-48s %10.0f %9s %8.2f %5.0f us %8.1f\n",
			r.name, f.perSecond, f.p99.Round(10*time.Microsecond), f.perSecond/plain.perSecond, 1e6*cpu, cpu/plainCPU)
	}
}

// saveMonths saves a statement of the same accounts for each month, for each of jwts.
func saveMonths(ctx context.Context, client *http.Client, address string, jwts []string) error {
	for i, jwt := range jwts {
		for month := range ownedMonths {
			to := time.Date(2024, time.Month(month+2), 0, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			if _, err := saveStatement(ctx, client, address, jwt, sampleStatement(readUsers+manyUsers+i, ownedRows, to)); err != nil {
				return err
			}
		}
	}
	return nil
}

// readRequests are requests for the path of each user in turn.
func readRequests(path func(user int) string, jwts []string) requests {
	return func(out []byte, i int64) (request, body []byte) {
		user := int(i % int64(len(jwts)))
		out = append(append(out[:0], "GET "...), path(user)...)
		out = append(append(out, " HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer "...), jwts[user]...)
		return append(out, "\r\n\r\n"...), nil
	}
}

// saveStatement saves a statement and returns the id of the portfolio.
func saveStatement(ctx context.Context, client *http.Client, address, jwt string, body []byte) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/portfolios", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+jwt)
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	var saved struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&saved); err != nil || answer.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("save a statement: status %d, %w", answer.StatusCode, err)
	}
	return saved.ID, nil
}

// sampleStatement returns a statement of one person: half of its rows are equities in a demat
// account, the others schemes of folios with some transactions.
func sampleStatement(person, rows int, to string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"meta":{"cas_type":"CDSL","statement_period":{"from":"%s-01","to":%q}},
		"investor":{"name":"Asha Example","pan":"AAAPZ%04dA"},
		"demat_accounts":[{"demat_type":"CDSL","dp_id":"12012345","client_id":"%08d","bo_id":"12012345%08d","dp_name":"Sample Securities Limited",
		"holdings":{"equities":[`, to[:len("2026-03")], to, person%10000, person, person)
	for i := range rows / 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"isin":%q,"name":"SAMPLE INDUSTRIES %d LIMITED EQUITY SHARES","units":%d,"price":%d.55,"value":%d.75}`,
			isin("INE", 100+i), i, 10+i, 1000+i, 12000+i*100)
	}
	b.WriteString(`]}}],"mutual_funds":[`)
	for i := range rows - rows/2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"folio_number":"%d%04d/21","amc":"Sample Asset Management","registrar":"CAMS","schemes":[
			{"isin":%q,"name":"Sample Flexi Cap Fund %d - Direct Plan - Growth","type":"Equity","units":%d.123,"nav":101.2345,"value":%d.25,"cost":%d.00,
			"gain":{"absolute":%d.25,"percentage":3.5},"transactions":[{"date":"2026-03-05","type":"PURCHASE_SIP","description":"Systematic Investment",
			"units":9.123,"nav":100.4321,"amount":1000.00,"balance":%d.123}]}]}`,
			10000+i, person, isin("INF", 500+i), i, 40+i, 5000+i, 4000, 1000+i, 40+i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// isin returns an ISIN that begins with prefix and has a right check digit.
func isin(prefix string, n int) string {
	text := fmt.Sprintf("%s%03dA01%02d", prefix, n, n%100)
	sum, double := 0, true
	for i := len(text) - 1; i >= 0; i-- {
		value := int(text[i] - '0')
		if text[i] >= 'A' {
			value = int(text[i]-'A') + 10
		}
		for ; ; value /= 10 {
			digit := value % 10
			if double {
				digit *= 2
			}
			sum, double = sum+digit/10+digit%10, !double
			if value < 10 {
				break
			}
		}
	}
	return fmt.Sprintf("%s%d", text, (10-sum%10)%10)
}
