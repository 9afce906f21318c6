package audit_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"casbroker/internal/audit"
)

// Records makes the shelf a Book; it knows no filter.
func (s *shelf) Records(_ context.Context, _ audit.Filter, after audit.Position, limit int) ([]audit.Entry, error) {
	var list []audit.Entry
	for i := len(s.records) - 1; i >= 0 && len(list) < limit; i-- {
		r := s.records[i]
		if after.ID == "" || r.At.Before(after.At) || r.At.Equal(after.At) && r.ID < after.ID {
			list = append(list, audit.Entry{Record: r, Writer: "wr_1", Seq: int64(i + 1)})
		}
	}
	return list, nil
}

func reader(n int) (*audit.Service, *shelf) {
	s := &shelf{}
	for i := range n {
		r := audit.New(context.Background(), begin.Add(time.Duration(i)*time.Millisecond), "=cmd()", audit.AdminRead, "a,\"b\"\r\nc", "+1;-2")
		r.UserAgent = "@user"
		s.records = append(s.records, r)
	}
	return &audit.Service{Book: s}, s
}

func exporting() audit.Record {
	return audit.New(context.Background(), begin.Add(time.Hour), "demo:admin", audit.AuditExport, "", "csv")
}

func TestAnExportHasAllRecordsItselfIncluded(t *testing.T) {
	t.Parallel()
	trail, _ := reader(2500)
	var out bytes.Buffer
	if err := trail.Export(t.Context(), &out, audit.Filter{}, "ndjson", exporting()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2501 {
		t.Fatalf("%d lines", len(lines))
	}
	var first, last audit.View
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &first), json.Unmarshal([]byte(lines[2500]), &last)); err != nil {
		t.Fatal(err)
	}
	if first.Action != audit.AuditExport || last.Seq != 1 || !last.At.Equal(begin) || last.Subject != "a,\"b\"\r\nc" || last.Actor != "=cmd()" {
		t.Errorf("%+v %+v", first, last)
	}
}

func TestNothingRunsWhereATableIsOpened(t *testing.T) {
	t.Parallel()
	trail, _ := reader(1)
	var out bytes.Buffer
	if err := trail.Export(t.Context(), &out, audit.Filter{}, "csv", exporting()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	got := fmt.Sprintf("%q", rows[2][1:12])
	want := `["2026-04-01T10:00:00.000Z" "'=cmd()" "broker" "admin.read" "a,\"b\"  c" "'+1;'-2" "ok" "" "" "" "'@user"]`
	if got != want || rows[0][2] != "actor" {
		t.Errorf("%s", got)
	}
}

func TestWhatIsNotOnRecordIsNotExported(t *testing.T) {
	t.Parallel()
	trail, s := reader(1)
	var out bytes.Buffer
	if err := trail.Export(t.Context(), &out, audit.Filter{}, "xml", exporting()); !errors.Is(err, audit.ErrFormat) {
		t.Errorf("%v", err)
	}
	s.away = true
	for _, format := range []string{"ndjson", "csv"} {
		if err := trail.Export(t.Context(), &out, audit.Filter{}, format, exporting()); err == nil || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", format, err, out.Len())
		}
	}
}
