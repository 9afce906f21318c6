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

// Records makes memory an audit.Store; it ignores the filter.
func (m *memory) Records(_ context.Context, _ audit.Filter, after audit.Cursor, limit int) ([]audit.Entry, error) {
	var list []audit.Entry
	for i := len(m.records) - 1; i >= 0 && len(list) < limit; i-- {
		r := m.records[i]
		if after.ID == "" || r.At.Before(after.At) || r.At.Equal(after.At) && r.ID < after.ID {
			list = append(list, audit.Entry{Record: r, Writer: "wr_1", Seq: int64(i + 1)})
		}
	}
	return list, nil
}

// newService returns a Service with n records, and its store.
func newService(n int) (*audit.Service, *memory) {
	s := &memory{}
	for i := range n {
		r := audit.New(context.Background(), begin.Add(time.Duration(i)*time.Millisecond), "=cmd()", audit.AdminRead, "a,\"b\"\r\nc", "+1;-2")
		r.UserAgent = "@user"
		s.records = append(s.records, r)
	}
	return &audit.Service{Store: s}, s
}

// exportRecord returns the record of an export.
func exportRecord() audit.Record {
	return audit.New(context.Background(), begin.Add(time.Hour), "demo:admin", audit.AuditExport, "", "csv")
}

func TestExportHasAllRecordsAndItsOwn(t *testing.T) {
	t.Parallel()
	trail, _ := newService(2500)
	var out bytes.Buffer
	if err := trail.Export(t.Context(), &out, audit.Filter{}, "ndjson", exportRecord()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2501 {
		t.Fatalf("got %d lines, want 2501", len(lines))
	}
	var first, last audit.View
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &first), json.Unmarshal([]byte(lines[2500]), &last)); err != nil {
		t.Fatal(err)
	}
	if first.Action != audit.AuditExport || last.Seq != 1 || !last.At.Equal(begin) || last.Subject != "a,\"b\"\r\nc" || last.Actor != "=cmd()" {
		t.Errorf("unexpected lines %+v and %+v", first, last)
	}
}

func TestExportedCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	trail, _ := newService(1)
	var out bytes.Buffer
	if err := trail.Export(t.Context(), &out, audit.Filter{}, "csv", exportRecord()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	got := fmt.Sprintf("%q", rows[2][1:12])
	want := `["2026-04-01T10:00:00.000Z" "'=cmd()" "broker" "admin.read" "a,\"b\"  c" "'+1;'-2" "ok" "" "" "" "'@user"]`
	if got != want || rows[0][2] != "actor" {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestExportFailsWithoutItsRecord(t *testing.T) {
	t.Parallel()
	trail, s := newService(1)
	var out bytes.Buffer
	if err := trail.Export(t.Context(), &out, audit.Filter{}, "xml", exportRecord()); !errors.Is(err, audit.ErrFormat) {
		t.Errorf("unknown format: got %v, want ErrFormat", err)
	}
	s.down = true
	for _, format := range []string{"ndjson", "csv"} {
		if err := trail.Export(t.Context(), &out, audit.Filter{}, format, exportRecord()); err == nil || out.Len() > 0 {
			t.Errorf("%s: got %v and %d bytes, want an error and none", format, err, out.Len())
		}
	}
}
