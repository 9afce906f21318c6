package admin_test

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/audit"
)

// record is an audit record, as far as the tests read it.
type record struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Role    string    `json:"role"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Object  string    `json:"object"`
	Outcome string    `json:"outcome"`
	Detail  string    `json:"detail"`
}

type records struct {
	Records    []record `json:"records"`
	NextCursor *string  `json:"next_cursor"`
}

// recorded lists the audit records, oldest first: "action subject object".
func (b *broker) recorded(t *testing.T, f audit.Filter) (lines []string) {
	t.Helper()
	page, err := b.service.Trail.Find(t.Context(), f, "", audit.MaxLimit)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		if e.Actor != "ops:meera" || e.Role != "admin" || e.RequestID == "" || e.Outcome != audit.OK {
			t.Errorf("got the record %+v", e.Record)
		}
		lines = append(lines, strings.TrimRight(string(e.Action)+" "+e.Subject+" "+e.Object+" "+e.Detail, " "))
	}
	slices.Reverse(lines)
	return lines
}

func TestReadsOfPersonalDataAreAudited(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		grantID := b.give(t, "app:asha")
		for _, path := range []string{
			"/grants", "/grants?subject=app:asha", "/grants/" + grantID, "/users?prefix=app", "/users/app:asha", "/audit?subject=app:asha",
			"/overview", "/stats", "/settings", "/credits",
		} {
			b.passed.Add(int64(time.Millisecond))
			b.get(t, path, &struct{}{})
		}
		b.passed.Add(int64(time.Millisecond))
		b.call(t, "meera", http.MethodGet, "/admin/v1/audit/export?subject=app:asha&format=csv", "")
		want := []string{
			"admin.read  grants", "admin.read app:asha grants", "admin.read app:asha " + grantID, "admin.read  users",
			"admin.read app:asha user", "admin.read app:asha audit", "audit.export app:asha csv",
		}
		if got := b.recorded(t, audit.Filter{Actor: "ops:meera"}); !slices.Equal(got, want) {
			t.Errorf("got the records %q, want %q", got, want)
		}
	})
}

// unwritable is an audit trail that fails to append.
type unwritable struct{ audit.Store }

var errUnwritable = errors.New("the audit trail cannot be written")

func (unwritable) Append(context.Context, ...audit.Record) error { return errUnwritable }

func TestReadThatCannotBeAuditedIsRefused(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	grantID := b.give(t, "app:asha")
	b.service.Trail.Store = unwritable{b.db}
	for _, path := range []string{"/grants", "/grants/" + grantID, "/users", "/users/app:asha", "/audit", "/audit/export"} {
		r := b.call(t, "meera", http.MethodGet, "/admin/v1"+path, "")
		if r.failed(t, path, 500, "internal"); strings.Contains(r.body, "app:asha") {
			t.Errorf("%s: the answer is %s", path, r.body)
		}
	}
	for _, path := range []string{"/overview", "/stats", "/settings"} {
		b.get(t, path, &struct{}{})
	}
}

func TestAuditTrailIsFilteredAndPaginated(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	b.give(t, "app:asha")
	b.passed.Add(int64(time.Minute))
	b.post(t, "/users/app:asha/block", "", &changed{})
	b.passed.Add(int64(time.Minute))
	b.post(t, "/users/app:rohan/unblock", "", &changed{})
	for query, want := range map[string]string{
		"actor=app:asha":      "token.mint",
		"subject=app:rohan":   "access.unblock",
		"action=access.block": "access.block",
		"outcome=refused":     "",
		"from=2026-04-01T10:01:00Z&to=2026-04-01T10:02:00Z": "access.block",
	} {
		var page records
		b.get(t, "/audit?"+query, &page)
		var got []string
		for _, r := range page.Records {
			if r.Action != "admin.read" {
				got = append(got, r.Action)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	var first, second records
	b.get(t, "/audit?limit=1", &first)
	b.get(t, "/audit?limit=1&cursor="+*first.NextCursor, &second)
	if len(first.Records) != 1 || len(second.Records) != 1 || first.Records[0].ID <= second.Records[0].ID {
		t.Errorf("got the pages %+v and %+v", first, second)
	}
}

func TestExportContainsAllMatchingRecords(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		fill(t, b, 1100)
		path := "/admin/v1/audit/export?action=token.reuse"
		lines := b.call(t, "meera", http.MethodGet, path, "")
		n := 0
		for in := bufio.NewScanner(strings.NewReader(lines.body)); in.Scan(); n++ {
			var r record
			if err := json.Unmarshal(in.Bytes(), &r); err != nil || r.Action != "token.reuse" {
				t.Fatalf("got %v: %s", err, in.Bytes())
			}
		}
		if lines.status != 200 || lines.err != nil || n != 1100 || lines.header.Get("Content-Type") != audit.TypeNDJSON {
			t.Errorf("got %d with %d lines, want 1100: %v %v", lines.status, n, lines.err, lines.header)
		}
		table := b.call(t, "meera", http.MethodGet, path+"&format=csv", "")
		rows, err := csv.NewReader(strings.NewReader(table.body)).ReadAll()
		if err != nil || len(rows) != 1101 || table.header.Get("Content-Disposition") != `attachment; filename="casbroker-audit.csv"` {
			t.Errorf("got %d rows, want 1101: %v %v", len(rows), err, table.header)
		}
		if none := b.call(t, "meera", http.MethodGet, path+"&actor=unknown", ""); none.status != 200 || none.body != "" {
			t.Errorf("no match: got %d %q, want an empty file", none.status, none.body)
		}
	})
}

// fill appends n records of token reuse.
func fill(t *testing.T, b *broker, n int) {
	t.Helper()
	list := make([]audit.Record, n)
	for i := range list {
		list[i] = audit.New(t.Context(), b.now(), "app:asha", audit.TokenReuse, "app:asha", "")
	}
	if err := b.db.Append(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
}

// failing is an audit trail whose database fails after a number of pages.
type failing struct {
	audit.Store
	pages int
}

func (f *failing) Records(ctx context.Context, filter audit.Filter, after audit.Cursor, limit int) ([]audit.Entry, error) {
	if f.pages--; f.pages < 0 {
		return nil, errors.New("the database is down")
	}
	return f.Store.Records(ctx, filter, after, limit)
}

func TestIncompleteExportIsVisibleAsSuch(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	fill(t, b, 1100)
	for pages, broken := range map[int]bool{0: false, 1: true} {
		b.service.Trail.Store = &failing{b.db, pages}
		r := b.call(t, "meera", http.MethodGet, "/admin/v1/audit/export", "")
		if broken && r.err == nil {
			t.Errorf("the client got half of it without an error: %d, %d bytes", r.status, len(r.body))
		}
		if !broken {
			if r.failed(t, "nothing was written", 500, "internal"); r.header.Get("Content-Disposition") != "" {
				t.Errorf("the problem is sent as a download: %v", r.header)
			}
		}
	}
	if !strings.Contains(b.log.String(), "download aborted") {
		t.Errorf("got the log %s", b.log)
	}
}

// uncounted is a store that fails to count grants.
type uncounted struct{ admin.Users }

func (uncounted) LiveGrants(context.Context, time.Time) (int, error) {
	return 0, errors.New("the database is down")
}

func TestUncountableTokensAreNullNotZero(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	b.service.Users = uncounted{b.db}
	var o map[string]any
	if b.get(t, "/overview", &o); o["live_tokens"] != nil || o["blocked_users"] != 0.0 || o["health"] == nil {
		t.Errorf("got the overview %v", o)
	}
	if _, there := o["live_tokens"]; !there {
		t.Errorf("got the overview %v", o)
	}
}

func TestOverviewStatsCreditsAndSettings(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		b.give(t, "app:asha")
		b.post(t, "/users/app:rohan/block", "", &changed{})
		b.counts.Token("minted")
		if err := b.counts.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var o struct {
			LiveTokens   int               `json:"live_tokens"`
			BlockedUsers int               `json:"blocked_users"`
			Health       []admin.Component `json:"health"`
		}
		if b.get(t, "/overview", &o); o.LiveTokens != 1 || o.BlockedUsers != 1 || len(o.Health) != 1 || o.Health[0].State != admin.OK {
			t.Errorf("got the overview %+v", o)
		}
		for step, points := range map[string]int{"": 24, "?step=minute": 60, "?step=day&from=2026-03-31T00:00:00Z&to=2026-04-02T00:00:00Z": 2} {
			var s struct {
				Points []struct{} `json:"points"`
				Total  struct {
					Minted int `json:"minted"`
				} `json:"total"`
			}
			if b.get(t, "/stats"+step, &s); len(s.Points) != points || s.Total.Minted != 1 {
				t.Errorf("stats%s: got %d points and %d minted", step, len(s.Points), s.Total.Minted)
			}
		}
		var c struct {
			Used string    `json:"used"`
			AsOf time.Time `json:"as_of"`
		}
		if b.get(t, "/credits", &c); c.Used == "" || !c.AsOf.Equal(begin) {
			t.Errorf("got the credits %+v", c)
		}
		var s struct {
			Version  string          `json:"version"`
			Settings []admin.Setting `json:"settings"`
		}
		if b.get(t, "/settings", &s); s.Version != "1.2.3" || !slices.Equal(s.Settings, b.service.Settings) {
			t.Errorf("got the settings %+v", s)
		}
	})
}
