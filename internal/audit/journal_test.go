package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/audit"
)

var begin = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

// shelf keeps records in memory, unless it is away.
type shelf struct {
	away    bool
	records []audit.Record
}

func (s *shelf) Append(_ context.Context, records ...audit.Record) error {
	if s.away {
		return errors.New("away")
	}
	s.records = append(s.records, records...)
	return nil
}

func (s *shelf) AppendOrFail(ctx context.Context, records ...audit.Record) error {
	return s.Append(ctx, records...)
}

// said lists the actions, outcomes and details on the shelf.
func (s *shelf) said() string {
	var lines []string
	for _, r := range s.records {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(r.Action, " ", r.Outcome, " ", r.Detail)))
	}
	return strings.Join(lines, "\n")
}

// desk is a journal with a clock that can be set.
func desk(reuse audit.Reuse) (j *audit.Journal, s *shelf, now *time.Time) {
	s, now = &shelf{}, new(begin)
	return &audit.Journal{Book: s, Now: func() time.Time { return *now }, Reuse: reuse}, s, now
}

func from(t *testing.T, address string) context.Context {
	t.Helper()
	source := audit.Source{RequestID: "req_1", Address: address, UserAgent: "test"}
	return audit.WithSource(t.Context(), source, func(context.Context) string { return "user" })
}

func flush(t *testing.T, j *audit.Journal) {
	t.Helper()
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestARecordHasTheSourceAndTheRoleOfItsRequest(t *testing.T) {
	t.Parallel()
	r := audit.New(from(t, "203.0.113.7"), begin, "demo:asha", audit.TokenMint, "demo:asha", "gr_1")
	if r.Role != "user" || r.Address != "203.0.113.7" || r.Outcome != audit.OK || r.Detail != "" {
		t.Errorf("%+v", r)
	}
	if r = audit.New(t.Context(), begin, audit.Retention, audit.PortfolioExpire, "demo:asha", "pf_1"); r.Role != audit.RoleBroker {
		t.Errorf("%+v", r)
	}
	if r = r.As("admin").Refused("subject_blocked"); r.Role != "admin" || r.Outcome != audit.Refused || r.Detail != "subject_blocked" {
		t.Errorf("%+v", r)
	}
}

func TestReusesAreCountedMinuteByMinuteAndAtTheEnd(t *testing.T) {
	t.Parallel()
	j, s, now := desk(audit.CountReuse)
	flush(t, j)
	var asking sync.WaitGroup
	for range 50 {
		asking.Go(func() { _ = j.Reused(from(t, "203.0.113.7"), "demo:asha", "demo:asha", "gr_1") })
	}
	asking.Wait()
	*now = begin.Add(59 * time.Second)
	if flush(t, j); len(s.records) != 0 {
		t.Errorf("the minute is not over: %s", s.said())
	}
	*now = begin.Add(time.Minute)
	flush(t, j)
	_ = j.Reused(t.Context(), "demo:asha", "demo:asha", "gr_1")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	want := "token.reuse ok count=50 since=2026-04-01T10:00:00Z\ntoken.reuse ok count=1 since=2026-04-01T10:01:00Z"
	if s.said() != want {
		t.Errorf("%s", s.said())
	}
}

func TestReusesAreRecordedOneByOneOrNotAtAllBySetting(t *testing.T) {
	t.Parallel()
	j, s, _ := desk(audit.EachReuse)
	if err := j.Reused(from(t, "203.0.113.7"), "demo:asha", "demo:asha", "gr_1"); err != nil || len(s.records) != 1 || s.records[0].Object != "gr_1" {
		t.Errorf("%v %+v", err, s.records)
	}
	s.away = true
	if err := j.Reused(t.Context(), "demo:asha", "demo:asha", "gr_1"); err == nil {
		t.Error("a token was given again without a record")
	}
	j, s, _ = desk(audit.NoReuse)
	if err := errors.Join(j.Reused(t.Context(), "demo:asha", "demo:asha", "gr_1"), j.Close()); err != nil || len(s.records) != 0 {
		t.Errorf("%v %s", err, s.said())
	}
}

func TestNobodyFillsTheDiskWithRefusals(t *testing.T) {
	t.Parallel()
	j, s, now := desk(audit.CountReuse)
	for i := range 1000 { // one subscriber, however many addresses that is
		j.Refuse(from(t, fmt.Sprintf("2001:db8::%x", i)), "", "POST /v1/token", "invalid_token")
	}
	j.Refuse(from(t, "203.0.113.7"), "demo:ravi", "POST /v1/token", "subject_blocked")
	flush(t, j)
	if len(s.records) != 11 {
		t.Fatalf("%d records", len(s.records))
	}
	if last := s.records[10]; last.Actor != "demo:ravi" || last.Subject != "demo:ravi" || last.Object != "POST /v1/token" ||
		last.Outcome != audit.Refused || last.Detail != "subject_blocked" || last.Role != "user" || last.Address != "203.0.113.7" {
		t.Errorf("%+v", last)
	}
	s.records = nil
	for i := range 5000 { // many subscribers
		j.Refuse(from(t, fmt.Sprintf("198.51.%d.%d", i/250, i%250)), "", "POST /v1/token", []string{"invalid_token", "rate_limited"}[i%2])
	}
	for i := range 200 { // more reasons than there are
		j.Refuse(from(t, "198.51.0.0"), "", "POST /v1/token", fmt.Sprint("reason_", i))
	}
	*now = begin.Add(time.Minute)
	flush(t, j)
	if n := len(s.records); n > 200 {
		t.Errorf("%d records", n)
	}
	if !strings.Contains(s.said(), "access.refuse refused invalid_token count=34") || !strings.Contains(s.said(), "access.refuse refused other count=1") {
		t.Errorf("%s", s.said())
	}
	s.records = nil
	j.Refuse(from(t, "2001:db8::1"), "", "POST /v1/token", "invalid_token")
	if flush(t, j); len(s.records) != 1 {
		t.Errorf("in the next minute: %s", s.said())
	}
}

func TestWhatCannotBeWrittenWaits(t *testing.T) {
	t.Parallel()
	j, s, now := desk(audit.CountReuse)
	s.away = true
	start := audit.New(t.Context(), begin, audit.Broker, audit.BrokerStart, "", "settings:1")
	j.Note(start)
	for minute := range 1200 {
		*now = begin.Add(time.Duration(minute) * time.Minute)
		_ = j.Reused(t.Context(), "demo:asha", "demo:asha", "gr_1")
		j.Refuse(from(t, "203.0.113.7"), "", "POST /v1/token", "invalid_token")
		if err := j.Flush(t.Context()); err == nil {
			t.Fatal("it was written")
		}
	}
	s.away = false
	if err := errors.Join(j.Flush(t.Context()), j.Close()); err != nil {
		t.Fatal(err)
	}
	if n := len(s.records); n > 1100 || s.records[0].Action != audit.BrokerStart {
		t.Errorf("%d records", n)
	}
	if s.records[0].ID == start.ID {
		t.Error("a record that may be there already would be in the way of all others")
	}
	reused := 0
	for _, r := range s.records {
		if n := 0; r.Action == audit.TokenReuse {
			if _, err := fmt.Sscanf(r.Detail, "count=%d", &n); err != nil {
				t.Fatal(err)
			}
			reused += n
		}
	}
	if reused != 1200 {
		t.Errorf("%d of 1200 reuses", reused)
	}
}
