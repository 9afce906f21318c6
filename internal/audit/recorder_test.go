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

// memory is an Appender that keeps records in memory, unless it is down.
type memory struct {
	down    bool
	fails   int // the number of the call that fails, 0 for none
	most    int // records that a call takes, 0 for any number
	calls   int
	records []audit.Record
}

func (m *memory) Append(_ context.Context, records ...audit.Record) error {
	m.calls++
	if m.down || m.calls == m.fails {
		return errors.New("the database is down")
	}
	if m.most > 0 && len(records) > m.most {
		return errors.New("too many records at once")
	}
	m.records = append(m.records, records...)
	return nil
}

func (m *memory) AppendOrFail(ctx context.Context, records ...audit.Record) error {
	return m.Append(ctx, records...)
}

// summary returns a line "action outcome detail" for each record.
func (m *memory) summary() string {
	var lines []string
	for _, r := range m.records {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(r.Action, " ", r.Outcome, " ", r.Detail)))
	}
	return strings.Join(lines, "\n")
}

// newRecorder returns a Recorder, where it writes, and its clock.
func newRecorder(reuse audit.Reuse) (r *audit.Recorder, s *memory, now *time.Time) {
	s, now = &memory{}, new(begin)
	return &audit.Recorder{Store: s, Now: func() time.Time { return *now }, Reuse: reuse}, s, now
}

// from returns the context of a request from address.
func from(t *testing.T, address string) context.Context {
	t.Helper()
	source := audit.Source{RequestID: "req_1", Address: address, UserAgent: "test"}
	return audit.WithSource(t.Context(), source, func(context.Context, *audit.Source) audit.Caller { return audit.Caller{Role: "user"} })
}

func flush(t *testing.T, rec *audit.Recorder) {
	t.Helper()
	if err := rec.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRecordHasSourceAndRoleOfItsRequest(t *testing.T) {
	t.Parallel()
	r := audit.New(from(t, "203.0.113.7"), begin, "demo:asha", audit.TokenMint, "demo:asha", "gr_1")
	if r.Role != "user" || r.Address != "203.0.113.7" || r.Outcome != audit.OK || r.Detail != "" {
		t.Errorf("unexpected record %+v", r)
	}
	if r = audit.New(t.Context(), begin, audit.Retention, audit.PortfolioExpire, "demo:asha", "pf_1"); r.Role != audit.RoleBroker {
		t.Errorf("unexpected record %+v", r)
	}
	if r = r.WithRole("admin").Refused("subject_blocked"); r.Role != "admin" || r.Outcome != audit.Refused || r.Detail != "subject_blocked" {
		t.Errorf("unexpected record %+v", r)
	}
}

func TestReusesAreCountedByMinuteAndOnClose(t *testing.T) {
	t.Parallel()
	rec, s, now := newRecorder(audit.CountReuse)
	flush(t, rec)
	var asking sync.WaitGroup
	for range 50 {
		asking.Go(func() { _ = rec.RecordReuse(from(t, "203.0.113.7"), "demo:asha", "demo:asha", "gr_1") })
	}
	asking.Wait()
	*now = begin.Add(59 * time.Second)
	if flush(t, rec); len(s.records) != 0 {
		t.Errorf("before the minute is over: got %s, want no records", s.summary())
	}
	*now = begin.Add(time.Minute)
	flush(t, rec)
	_ = rec.RecordReuse(t.Context(), "demo:asha", "demo:asha", "gr_1")
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	want := "token.reuse ok count=50 since=2026-04-01T10:00:00Z\ntoken.reuse ok count=1 since=2026-04-01T10:01:00Z"
	if s.summary() != want {
		t.Errorf("got %s", s.summary())
	}
}

func TestReusesAreRecordedEachOrNotAtAllBySetting(t *testing.T) {
	t.Parallel()
	rec, s, _ := newRecorder(audit.EachReuse)
	if err := rec.RecordReuse(from(t, "203.0.113.7"), "demo:asha", "demo:asha", "gr_1"); err != nil || len(s.records) != 1 || s.records[0].Object != "gr_1" {
		t.Errorf("got %v, %+v, want one record of gr_1", err, s.records)
	}
	s.down = true
	if err := rec.RecordReuse(t.Context(), "demo:asha", "demo:asha", "gr_1"); err == nil {
		t.Error("got no error without a record")
	}
	rec, s, _ = newRecorder(audit.NoReuse)
	if err := errors.Join(rec.RecordReuse(t.Context(), "demo:asha", "demo:asha", "gr_1"), rec.Close()); err != nil || len(s.records) != 0 {
		t.Errorf("NoReuse: got %v, %s, want no records", err, s.summary())
	}
}

func TestReadsAreCountedByServiceOrRecordedEach(t *testing.T) {
	t.Parallel()
	read := func(rec *audit.Recorder, service string) error {
		return rec.RecordRead(from(t, "203.0.113.7"), service, "demo:asha", "GET /v1/users/:subject/usage")
	}
	rec, s, now := newRecorder(audit.CountReuse)
	rec.ServiceReads = audit.CountReuse
	flush(t, rec)
	for _, service := range []string{"key:b", "key:a", "key:b"} {
		if err := read(rec, service); err != nil {
			t.Fatal(err)
		}
	}
	*now = begin.Add(time.Minute)
	flush(t, rec)
	flush(t, rec)
	if len(s.records) != 2 || s.records[0].Actor != "key:a" || s.records[1].Actor != "key:b" || !strings.HasPrefix(s.records[1].Detail, "count=2 since=") {
		t.Errorf("got %+v, want one record of each service", s.records)
	}
	s.records = nil
	for i := range 100 {
		_ = read(rec, fmt.Sprint("key:", i))
	}
	if err := rec.Close(); err != nil || len(s.records) != 51 {
		t.Errorf("got %v and %d records of many services, want 51", err, len(s.records))
	}

	rec, s, _ = newRecorder(audit.CountReuse)
	rec.ServiceReads = audit.EachReuse
	if err := read(rec, "key:a"); err != nil || len(s.records) != 1 || s.records[0].Subject != "demo:asha" || s.records[0].Actor != "key:a" {
		t.Errorf("got %v, %+v, want one record of the user", err, s.records)
	}
	s.down = true
	if err := read(rec, "key:a"); err == nil {
		t.Error("got no error without a record")
	}
}

func TestReadsOfUsersAreCountedByUserOrRecordedEach(t *testing.T) {
	t.Parallel()
	read := func(rec *audit.Recorder, user string) error {
		return rec.RecordRead(from(t, "203.0.113.7"), "", user, "GET /v1/holdings")
	}
	rec, s, now := newRecorder(audit.CountReuse)
	rec.Reads = audit.CountReuse
	flush(t, rec)
	const users = 20_100 // more than are counted separately
	for i := range users {
		_ = read(rec, fmt.Sprintf("demo:%05d", i))
	}
	_, _ = read(rec, "demo:00000"), read(rec, "demo:00000")
	*now = begin.Add(time.Minute)
	s.most = 1000 // as few records as one transaction takes quickly
	flush(t, rec)
	if len(s.records) != 20_001 {
		t.Fatalf("got %d records, want 20001", len(s.records))
	}
	for i, want := range map[int]string{
		0: "demo:00000 demo:00000 count=3", 1: "demo:00001 demo:00001 count=1", 20_000: "other  count=100",
	} {
		r := s.records[i]
		detail, _, _ := strings.Cut(r.Detail, " since=")
		if got := r.Actor + " " + r.Subject + " " + detail; got != want || r.Action != audit.UserRead {
			t.Errorf("got %s %q, want %q", r.Action, got, want)
		}
	}

	rec, s, _ = newRecorder(audit.CountReuse)
	rec.Reads = audit.EachReuse
	if err := read(rec, "demo:asha"); err != nil || len(s.records) != 1 || s.records[0].Subject != "demo:asha" || s.records[0].Object != "GET /v1/holdings" {
		t.Errorf("got %v, %+v, want one record of the user", err, s.records)
	}
	s.down = true
	if err := read(rec, "demo:asha"); err == nil {
		t.Error("got no error without a record")
	}
}

func TestCountsOfReadsSurviveAFailedWrite(t *testing.T) {
	t.Parallel()
	rec, s, _ := newRecorder(audit.CountReuse)
	rec.Reads = audit.CountReuse
	for i := range 2500 {
		_ = rec.RecordRead(t.Context(), "", fmt.Sprintf("demo:%04d", i), "GET /v1/holdings")
	}
	s.fails = 2 // the second batch of three
	if err := rec.Close(); err == nil {
		t.Error("got no error of a failed write")
	}
	if err := rec.Close(); err != nil || len(s.records) != 2500 {
		t.Errorf("got %v and %d records, want all 2500", err, len(s.records))
	}
}

func TestRefusalsCannotFillTheDisk(t *testing.T) {
	t.Parallel()
	rec, s, now := newRecorder(audit.CountReuse)
	for i := range 1000 { // one subscriber with many addresses
		rec.RecordRefusal(from(t, fmt.Sprintf("2001:db8::%x", i)), "", "POST /v1/token", "invalid_token")
	}
	rec.RecordRefusal(from(t, "203.0.113.7"), "demo:ravi", "POST /v1/token", "subject_blocked")
	flush(t, rec)
	if len(s.records) != 11 {
		t.Fatalf("got %d records, want 10 and 1", len(s.records))
	}
	if last := s.records[10]; last.Actor != "demo:ravi" || last.Subject != "demo:ravi" || last.Object != "POST /v1/token" ||
		last.Outcome != audit.Refused || last.Detail != "subject_blocked" || last.Role != "user" || last.Address != "203.0.113.7" {
		t.Errorf("unexpected record %+v", last)
	}
	s.records = nil
	for i := range 5000 { // many subscribers
		rec.RecordRefusal(from(t, fmt.Sprintf("198.51.%d.%d", i/250, i%250)), "", "POST /v1/token", []string{"invalid_token", "rate_limited"}[i%2])
	}
	for i := range 200 { // more reasons than are counted separately
		rec.RecordRefusal(from(t, "198.51.0.0"), "", "POST /v1/token", fmt.Sprint("reason_", i))
	}
	*now = begin.Add(time.Minute)
	flush(t, rec)
	if n := len(s.records); n > 200 {
		t.Errorf("got %d records, want 200 at most", n)
	}
	if !strings.Contains(s.summary(), "access.refuse refused invalid_token count=34") || !strings.Contains(s.summary(), "access.refuse refused other count=1") {
		t.Errorf("got %s", s.summary())
	}
	s.records = nil
	rec.RecordRefusal(from(t, "2001:db8::1"), "", "POST /v1/token", "invalid_token")
	if flush(t, rec); len(s.records) != 1 {
		t.Errorf("in the next minute: got %s, want one record", s.summary())
	}
}

func TestUnwrittenRecordsWait(t *testing.T) {
	t.Parallel()
	rec, s, now := newRecorder(audit.CountReuse)
	s.down = true
	start := audit.New(t.Context(), begin, audit.Broker, audit.BrokerStart, "", "settings:1")
	rec.Add(start)
	for minute := range 1200 {
		*now = begin.Add(time.Duration(minute) * time.Minute)
		_ = rec.RecordReuse(t.Context(), "demo:asha", "demo:asha", "gr_1")
		rec.RecordRefusal(from(t, "203.0.113.7"), "", "POST /v1/token", "invalid_token")
		if err := rec.Flush(t.Context()); err == nil {
			t.Fatal("Flush without a database: got no error")
		}
	}
	s.down = false
	if err := errors.Join(rec.Flush(t.Context()), rec.Close()); err != nil {
		t.Fatal(err)
	}
	if n := len(s.records); n > 1100 || s.records[0].Action != audit.BrokerStart {
		t.Errorf("got %d records, want 1100 at most, the start first", n)
	}
	if s.records[0].ID == start.ID {
		t.Error("a record that may be stored already kept its id, so every retry may fail")
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
		t.Errorf("got %d reuses, want 1200", reused)
	}
}
