package audit

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/fault"
	"casbroker/internal/spreadsheet"
)

// The media types of an export.
const (
	TypeNDJSON = "application/x-ndjson"
	TypeCSV    = "text/csv; charset=utf-8; header=present" // RFC 4180, section 3
)

// ExportTypes are the media types of an export, by its format.
var ExportTypes = map[string]string{"ndjson": TypeNDJSON, "csv": TypeCSV}

// ErrFormat is returned for a format other than ndjson and csv.
var ErrFormat = fault.New(fault.Invalid, "invalid_format", "format must be ndjson or csv.")

// View is an Entry in the form that readers get.
type View struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Actor     string    `json:"actor"`
	Role      string    `json:"role"`
	Action    Action    `json:"action"`
	Subject   string    `json:"subject"`
	Object    string    `json:"object"`
	Outcome   Outcome   `json:"outcome"`
	Detail    string    `json:"detail"`
	RequestID string    `json:"request_id"`
	Address   string    `json:"address"`
	UserAgent string    `json:"user_agent"`
	Writer    string    `json:"writer"` // "" for a record without a chain
	Seq       int64     `json:"seq"`
}

// View returns e in the form that readers get.
func (e Entry) View() View {
	return View{
		ID: e.ID, At: e.At, Actor: e.Actor, Role: e.Role, Action: e.Action, Subject: e.Subject, Object: e.Object,
		Outcome: e.Outcome, Detail: e.Detail, RequestID: e.RequestID, Address: e.Address, UserAgent: e.UserAgent,
		Writer: e.Writer, Seq: e.Seq,
	}
}

// columns are the CSV columns, named as in JSON.
var columns = []string{
	"id", "at", "actor", "role", "action", "subject", "object", "outcome", "detail",
	"request_id", "address", "user_agent", "writer", "seq",
}

// cells returns the columns of v. Values that callers can choose are escaped, so that a
// spreadsheet does not run them as formulas.
func (v View) cells() []string {
	return []string{
		v.ID, v.At.Format(milliFormat), spreadsheet.Escape(v.Actor), spreadsheet.Escape(v.Role), spreadsheet.Escape(string(v.Action)),
		spreadsheet.Escape(v.Subject), spreadsheet.Escape(v.Object), spreadsheet.Escape(string(v.Outcome)), spreadsheet.Escape(v.Detail),
		spreadsheet.Escape(v.RequestID), spreadsheet.Escape(v.Address), spreadsheet.Escape(v.UserAgent), v.Writer, strconv.FormatInt(v.Seq, 10),
	}
}

// milliFormat is RFC 3339 with milliseconds, the stored precision.
const milliFormat = "2006-01-02T15:04:05.000Z07:00"

// exportPage is how many entries are held in memory at a time.
const exportPage = 1000

// Export appends r, the record of the export itself, and then writes all entries that match
// f to w, newest first, as "ndjson" (one object a line) or "csv" (RFC 4180). It returns
// ErrFormat for any other format. It may fail after a part was written.
func (s *Service) Export(ctx context.Context, w io.Writer, f Filter, format string, r Record) error {
	out := bufio.NewWriterSize(w, 32<<10)
	var write func(View) error
	var flush func() error
	switch format {
	case "ndjson":
		write = func(v View) error {
			if err := json.MarshalWrite(out, v); err != nil {
				return err
			}
			return out.WriteByte('\n')
		}
		flush = out.Flush
	case "csv":
		table := csv.NewWriter(out)
		table.UseCRLF = true
		if err := table.Write(columns); err != nil {
			return err
		}
		write = func(v View) error { return table.Write(v.cells()) }
		flush = func() error { table.Flush(); return table.Error() }
	default:
		return ErrFormat
	}
	if err := s.Store.Append(ctx, r); err != nil {
		return err
	}
	if err := s.each(ctx, f, write); err != nil {
		return fmt.Errorf("export audit records: %w", err)
	}
	if err := flush(); err != nil {
		return err
	}
	return out.Flush()
}

// each calls do with all entries that match f, newest first.
func (s *Service) each(ctx context.Context, f Filter, do func(View) error) error {
	for after := (Cursor{}); ; {
		entries, err := s.Store.Records(ctx, f, after, exportPage)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := do(e.View()); err != nil {
				return err
			}
			after = Cursor{At: e.At, ID: e.ID}
		}
		if len(entries) < exportPage {
			return nil
		}
	}
}
