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

// record is an audit record, as far as the tests look at it.
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

// recorded lists what is on record, oldest first: "action subject object".
func (b *broker) recorded(t *testing.T, f audit.Filter) (lines []string) {
	t.Helper()
	page, err := b.desk.Trail.Find(t.Context(), f, "", audit.MaxLimit)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		if e.Actor != "ops:meera" || e.Role != "admin" || e.RequestID == "" || e.Outcome != audit.OK {
			t.Errorf("recorded %+v", e.Record)
		}
		lines = append(lines, strings.TrimRight(string(e.Action)+" "+e.Subject+" "+e.Object+" "+e.Detail, " "))
	}
	slices.Reverse(lines)
	return lines
}

func TestWhatReadsAboutPersonsIsPutOnRecord(t *testing.T) {
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
			t.Errorf("on record are %q", got)
		}
	})
}

// unwritable is an audit trail that can be read and not written.
type unwritable struct{ audit.Book }

var errUnwritable = errors.New("the audit trail cannot be written")

func (unwritable) Append(context.Context, ...audit.Record) error { return errUnwritable }

func TestWhatCannotBePutOnRecordIsNotTold(t *testing.T) {
	t.Parallel()
	b := startSmall(t)
	grantID := b.give(t, "app:asha")
	b.desk.Trail.Book = unwritable{b.db}
	for _, path := range []string{"/grants", "/grants/" + grantID, "/users", "/users/app:asha", "/audit", "/audit/export"} {
		r := b.call(t, "meera", http.MethodGet, "/admin/v1"+path, "")
		if r.failed(t, path, 500, "internal"); strings.Contains(r.body, "app:asha") {
			t.Errorf("%s tells %s", path, r.body)
		}
	}
	for _, path := range []string{"/overview", "/stats", "/settings"} {
		b.get(t, path, &struct{}{})
	}
}

func TestTheTrailIsReadByWhatItTells(t *testing.T) {
	t.Parallel()
	b := startSmall(t)
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
		t.Errorf("page by page: %+v, %+v", first, second)
	}
}

func TestTheTrailIsExportedWhole(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		fill(t, b, 1100)
		path := "/admin/v1/audit/export?action=token.reuse"
		lines := b.call(t, "meera", http.MethodGet, path, "")
		n := 0
		for in := bufio.NewScanner(strings.NewReader(lines.body)); in.Scan(); n++ {
			var r record
			if err := json.Unmarshal(in.Bytes(), &r); err != nil || r.Action != "token.reuse" {
				t.Fatalf("%v: %s", err, in.Bytes())
			}
		}
		if lines.status != 200 || lines.err != nil || n != 1100 || lines.header.Get("Content-Type") != audit.TypeNDJSON {
			t.Errorf("got %d with %d lines: %v %v", lines.status, n, lines.err, lines.header)
		}
		table := b.call(t, "meera", http.MethodGet, path+"&format=csv", "")
		rows, err := csv.NewReader(strings.NewReader(table.body)).ReadAll()
		if err != nil || len(rows) != 1101 || table.header.Get("Content-Disposition") != `attachment; filename="casbroker-audit.csv"` {
			t.Errorf("got %d rows: %v %v", len(rows), err, table.header)
		}
		if none := b.call(t, "meera", http.MethodGet, path+"&actor=nobody", ""); none.status != 200 || none.body != "" {
			t.Errorf("nothing is exported as %d %q", none.status, none.body)
		}
	})
}

// fill puts n records of reuse into the trail.
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

// fading is an audit trail whose database goes away after the first page.
type fading struct {
	audit.Book
	pages int
}

func (f *fading) Records(ctx context.Context, filter audit.Filter, after audit.Position, limit int) ([]audit.Entry, error) {
	if f.pages--; f.pages < 0 {
		return nil, errors.New("the database is away")
	}
	return f.Book.Records(ctx, filter, after, limit)
}

func TestAnExportThatBreaksOffDoesNotPassForWhole(t *testing.T) {
	t.Parallel()
	b := startSmall(t)
	fill(t, b, 1100)
	for pages, broken := range map[int]bool{0: false, 1: true} {
		b.desk.Trail.Book = &fading{b.db, pages}
		r := b.call(t, "meera", http.MethodGet, "/admin/v1/audit/export", "")
		if broken && r.err == nil {
			t.Errorf("half of it was read without a mistake: %d, %d bytes", r.status, len(r.body))
		}
		if !broken {
			if r.failed(t, "nothing was written", 500, "internal"); r.header.Get("Content-Disposition") != "" {
				t.Errorf("the problem is to be kept as a file: %v", r.header)
			}
		}
	}
	if !strings.Contains(b.log.String(), "download aborted") {
		t.Errorf("the log says %s", b.log)
	}
}

// uncounted is a database that counts nothing.
type uncounted struct{ admin.Users }

func (uncounted) LiveGrants(context.Context, time.Time) (int, error) {
	return 0, errors.New("the database is away")
}

func TestTokensThatCannotBeCountedAreNotNone(t *testing.T) {
	t.Parallel()
	b := startSmall(t)
	b.desk.Users = uncounted{b.db}
	var o map[string]any
	if b.get(t, "/overview", &o); o["live_tokens"] != nil || o["blocked_users"] != 0.0 || o["health"] == nil {
		t.Errorf("overview %v", o)
	}
	if _, there := o["live_tokens"]; !there {
		t.Errorf("overview %v", o)
	}
}

func TestOperatorsSeeHowItStands(t *testing.T) {
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
			t.Errorf("overview %+v", o)
		}
		for step, points := range map[string]int{"": 24, "?step=minute": 60, "?step=day&from=2026-03-31T00:00:00Z&to=2026-04-02T00:00:00Z": 2} {
			var s struct {
				Points []struct{} `json:"points"`
				Total  struct {
					Minted int `json:"minted"`
				} `json:"total"`
			}
			if b.get(t, "/stats"+step, &s); len(s.Points) != points || s.Total.Minted != 1 {
				t.Errorf("stats%s: %d points, %d minted", step, len(s.Points), s.Total.Minted)
			}
		}
		var c struct {
			Used string    `json:"used"`
			AsOf time.Time `json:"as_of"`
		}
		if b.get(t, "/credits", &c); c.Used == "" || !c.AsOf.Equal(begin) {
			t.Errorf("credits %+v", c)
		}
		var s struct {
			Version  string          `json:"version"`
			Settings []admin.Setting `json:"settings"`
		}
		if b.get(t, "/settings", &s); s.Version != "1.2.3" || !slices.Equal(s.Settings, b.desk.Settings) {
			t.Errorf("settings %+v", s)
		}
	})
}
