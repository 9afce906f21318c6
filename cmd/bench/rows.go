package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	readAim     = 10 * time.Millisecond // p99 of reads
	fillRounds  = 5                     // between which users whose statements are read save them
	fillReaders = 70                    // in each round
	fillOwn     = 3                     // statements of each of them
)

// fillRows are SQL statements that add rows from %[1]d to %[2]d to the tables that grow. Portfolios are copies
// of ones that were saved, of other users; nothing can decrypt them, and nothing reads them.
const fillRows = `
	CREATE TEMPORARY TABLE sample AS SELECT ROW_NUMBER() OVER (ORDER BY id) - 1 AS k, p.* FROM portfolios p WHERE subject LIKE 'app:user-%%' LIMIT 100;
	CREATE TEMPORARY TABLE fill AS SELECT i, 'pf_fill' || lpad(i::TEXT, 20, '0') AS id, 'app:fill-' || i / 5 AS subject,
		%[3]d - (%[4]d - i::BIGINT) * 20000 AS at, s.id AS sample FROM generate_series(%[1]d, %[2]d) i JOIN sample s ON s.k = i %% (SELECT COUNT(*) FROM sample);
	INSERT INTO portfolios (id, subject, fingerprint, provenance, cas_type, period_from, period_to, private, total_value, received_rows, stored_rows,
		findings, saved_ms, owner, active, pan_marks, transactions, observed_ms, differs, accounts, account_details, of_other)
		SELECT f.id, f.subject, decode(md5(f.id) || md5(f.subject), 'hex'), provenance, cas_type, period_from, period_to, private, total_value, received_rows, stored_rows,
		findings, f.at, 1, CASE i %% 5 WHEN 4 THEN 1 ELSE 0 END, pan_marks, transactions, observed_ms, differs, accounts, account_details, of_other
		FROM fill f JOIN sample s ON s.id = f.sample;
	INSERT INTO payloads (portfolio, sealed) SELECT f.id, t.sealed FROM fill f JOIN payloads t ON t.portfolio = f.sample;
	INSERT INTO packed_holdings (portfolio, sealed) SELECT f.id, t.sealed FROM fill f JOIN packed_holdings t ON t.portfolio = f.sample;
	INSERT INTO packed_transactions (portfolio, sealed) SELECT f.id, t.sealed FROM fill f JOIN packed_transactions t ON t.portfolio = f.sample;
	INSERT INTO grants (id, subject, mode, issued_ms, expires_ms, vendor_request_id, access_version, mark)
		SELECT 'gr_fill' || i, subject, 'gateway', at, at + 3600000, '', 0, decode(md5(id), 'hex') FROM fill;
	INSERT INTO gateway_calls (id, subject, who, app, grant_id, request_id, key_name, feature, started_ms, lease_ms, ended_ms, outcome, reason, delivery, reserved, used, portfolio_id)
		SELECT 'gc_fill' || i, subject, subject, 'app', 'gr_fill' || i, 'req_fill' || i, 'bench', 'smart_parser', at, at, at, 'ok', '', 'answered', 1000, 1000, '' FROM fill;
	INSERT INTO audit (id, at_ms, actor, role, action, subject, object, outcome, detail, request_id, address, user_agent, writer, seq)
		SELECT 'au_fill' || i, at, CASE i %% 100 WHEN 0 THEN 'admin/meera' ELSE subject END, 'user', CASE i %% 100 WHEN 0 THEN 'access.block' WHEN 1 THEN 'user.read' ELSE 'token.mint' END,
		subject, 'gr_fill' || i, CASE i %% 9000 WHEN 7 THEN 'refused' ELSE 'ok' END, '', 'req_fill' || i, '203.0.113.7', 'Mozilla/5.0 (X11; Linux x86_64)', 'fill-' || i %% 8, i / 8 + 1 FROM fill;
	INSERT INTO access_changes (version, kind, subject, grant_id, reason, until_ms, at_ms, actor)
		SELECT newest.version + ROW_NUMBER() OVER (ORDER BY i), 'revoke_user', subject, '', '', 0, at + 60000, 'admin/meera' FROM fill, access_state newest WHERE i %% 5000 = 0;
	UPDATE access_state SET version = GREATEST(version, (SELECT COALESCE(MAX(version), 0) FROM access_changes));
	DROP TABLE fill, sample;`

// measureRows measures reads with a hundredth and a tenth of the rows in the database, and with all.
func (p *growthPlan) measureRows(ctx context.Context, folder string) error {
	o := siteOptions{folder: filepath.Join(folder, "site"), store: "postgres", replicas: 1, unsynced: true}
	return withSite(ctx, o, func(s *site) error {
		m := &mix{}
		var err error
		if m.admin, err = userToken("operator", []string{"casbroker:admin"}); err != nil {
			return err
		}
		for _, share := range []int{100, 10, 1} {
			began := time.Now()
			if err := p.fill(ctx, s, m, p.portfolios/share); err != nil {
				return err
			}
			fmt.Printf("\n%d portfolios, audit records, grants and calls, the last ones stored in %s\n\n", m.filled, time.Since(began).Round(time.Second))
			t := newTraffic(m, readKinds(m.filled), s.addresses())
			t.atRate(ctx, p.rate, warmUp)
			t.reset()
			before := s.cpu()
			t.atRate(ctx, p.rate, p.duration)
			t.report(p.duration)
			fmt.Printf("processor time of the broker per read: %.0f us; p99 over %s: %s\n",
				1e6*(s.cpu()-before)/(p.rate*p.duration.Seconds()), readAim, cmp.Or(strings.Join(t.slowerThan(readAim), ", "), "none"))
		}
		return ctx.Err()
	})
}

// slowerThan returns the kinds whose p99 is longer.
func (t *traffic) slowerThan(limit time.Duration) (names []string) {
	for _, k := range t.kinds {
		if t.percentile(k.name, 99) > limit {
			names = append(names, k.name)
		}
	}
	return names
}

// fill stores rows until there are n of each, in rounds between which users whose statements are
// read save them.
func (p *growthPlan) fill(ctx context.Context, s *site, m *mix, n int) error {
	client := &http.Client{Timeout: answerTime}
	first, round := m.filled, (n-m.filled)/fillRounds+1
	for ; first < n; first += round {
		for range fillReaders {
			user := len(m.jwts)
			bearer, err := userToken("user-"+strconv.Itoa(user), nil)
			if err != nil {
				return err
			}
			m.jwts = append(m.jwts, bearer)
			for month := range fillOwn {
				if _, err := saveStatement(ctx, client, s.brokers[0].address, bearer, monthlyStatement(user, month)); err != nil {
					return err
				}
			}
		}
		m.filled = min(first+round, n)
		if err := s.postgres.run(ctx, fmt.Sprintf(fillRows, first, m.filled-1, time.Now().UnixMilli(), p.portfolios)); err != nil {
			return err
		}
		fmt.Printf("%d portfolios …\n", m.filled)
	}
	return s.postgres.run(ctx, "VACUUM ANALYZE; CHECKPOINT")
}

// readKinds are reads of users and of operators, of n rows each.
func readKinds(n int) []kind {
	mine := func(path string) func(*mix, string) (*http.Request, error) {
		return func(m *mix, server string) (*http.Request, error) {
			return m.request(http.MethodGet, server, path, m.anyOf(len(m.jwts)), nil)
		}
	}
	operators := func(path func() string) func(*mix, string) (*http.Request, error) {
		return func(m *mix, server string) (*http.Request, error) {
			return m.request(http.MethodGet, server, "/admin/v1/"+path(), m.admin, nil)
		}
	}
	someRow := func() int { return rand.IntN(n) } //nolint:gosec // no secret
	user := func() string { return "app:fill-" + strconv.Itoa(someRow()/5) }
	since := func() string {
		return time.Now().Add(-time.Duration(someRow()) * 20 * time.Second).UTC().Format(time.RFC3339)
	}
	fixed := func(path string) func() string { return func() string { return path } }
	return []kind{
		{name: "latest portfolio", share: 3, make: mine("/v1/portfolios/latest")},
		{name: "holdings", share: 3, make: mine("/v1/holdings")},
		{name: "list of portfolios", share: 3, make: mine("/v1/portfolios?limit=20")},
		{name: "accounts", share: 1, make: mine("/v1/accounts")},
		{name: "worth", share: 1, make: mine("/v1/worth")},
		{name: "audit, newest", share: 1, make: operators(fixed("audit?limit=50"))},
		{name: "audit of a user", share: 1, make: operators(func() string { return "audit?subject=" + user() })},
		{name: "audit of an operator", share: 1, make: operators(fixed("audit?actor=admin/meera&limit=50"))},
		{name: "refusals in the audit", share: 1, make: operators(fixed("audit?outcome=refused&limit=50"))},
		{name: "audit of an action", share: 1, make: operators(fixed("audit?action=access.block&limit=50"))},
		{name: "audit of a time", share: 1, make: operators(func() string { return "audit?limit=50&to=" + since() })},
		{name: "audit without reads", share: 1, make: operators(fixed("audit?without=admin.read&limit=50"))},
		{name: "audit of a request", share: 1, make: operators(func() string { return "audit?request_id=req_fill" + strconv.Itoa(someRow()) })},
		{name: "grants, newest", share: 1, make: operators(fixed("grants?limit=50"))},
		{name: "grants of a user", share: 1, make: operators(func() string { return "grants?subject=" + user() })},
		{name: "active grants", share: 1, make: operators(fixed("grants?state=active&limit=50"))},
		{name: "revoked grants", share: 1, make: operators(fixed("grants?state=revoked&limit=50"))},
		{name: "users by prefix", share: 1, make: operators(func() string { return "users?prefix=" + user() })},
		{name: "why a request", share: 1, make: operators(func() string { return "requests/req_fill" + strconv.Itoa(someRow()) })},
	}
}
