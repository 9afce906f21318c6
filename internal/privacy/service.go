package privacy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
)

// Service exports and erases the data of a user. All exported fields but Sources are
// required. It is safe for concurrent use.
type Service struct {
	Store        Store
	ForgetTokens func(ctx context.Context, subject string) error // removes cached tokens
	// Announce tells all replicas about the change of subject's access with this version.
	Announce func(ctx context.Context, version int64, subject string)
	Sources  []ExportSource // in the order of the export; the audit trail is added last
	Log      *slog.Logger
	Now      func() time.Time

	exporting sync.Map     // subjects whose export is written or sent by this replica
	running   atomic.Int32 // number of exports that this replica writes
}

// maxExports limits concurrent exports, because each holds a payload or a page of rows in
// memory, as much as several saves.
const maxExports = 4

// bufferSize is the size of the write buffer, in bytes. An export that fails before its
// first write can still be answered with an error.
const bufferSize = 32 << 10

// begin counts an export of subject, which ends when it was sent. It returns errInProgress if
// there is another one.
func (s *Service) begin(subject string) (end func(), err error) {
	if _, busy := s.exporting.LoadOrStore(subject, true); busy {
		return nil, errInProgress
	}
	return func() { s.exporting.Delete(subject) }, nil
}

// Export records the export in the audit trail and then writes all data about who to w,
// as one JSON object. It may return an error after a part was written. It returns errBusy if
// maxExports are being written.
func (s *Service) Export(ctx context.Context, w io.Writer, who auth.Principal) error {
	defer s.running.Add(-1)
	if s.running.Add(1) > maxExports {
		return errBusy
	}
	now := s.Now()
	if err := s.Store.Append(ctx, audit.New(ctx, now, who.Subject, audit.DataExport, who.Subject, "")); err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, bufferSize)
	if err := s.write(ctx, out, now, who.Subject); err != nil {
		return err
	}
	return out.Flush()
}

func (s *Service) write(ctx context.Context, out io.Writer, now time.Time, subject string) error {
	// Payloads are exported with their strings exactly as received.
	e := jsontext.NewEncoder(out, jsontext.PreserveRawStrings(true))
	for _, token := range []jsontext.Token{
		jsontext.BeginObject,
		jsontext.String("subject"), jsontext.String(subject),
		jsontext.String("exported_at"), jsontext.String(now.UTC().Format(time.RFC3339)),
	} {
		if err := e.WriteToken(token); err != nil {
			return err
		}
	}
	for _, source := range slices.Concat(s.Sources, []ExportSource{{"audit", auditExporter{s.Store}}}) {
		if err := e.WriteToken(jsontext.String(source.Name)); err != nil {
			return err
		}
		if err := source.Export(ctx, e, subject); err != nil {
			return fmt.Errorf("export %s: %w", source.Name, err)
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// Erase deletes all data about who and records the erasure. Of the audit trail the
// addresses and user agents of requests are deleted and the subject's id is kept. The
// times of blocks and revocations are kept without their reasons; a block in force is
// kept with its reason. The user's gateway tokens end at once, on all replicas; no cached
// token is handed out again. Erasing a user twice is not an error.
func (s *Service) Erase(ctx context.Context, who auth.Principal) (EraseResult, error) {
	r := audit.New(ctx, s.Now(), who.Subject, audit.DataErase, who.Subject, "").Anonymous()
	erased, err := s.Store.Erase(ctx, who.Subject, r)
	if err != nil {
		return erased, err
	}
	s.Announce(ctx, erased.AccessVersion, who.Subject)
	if err := s.ForgetTokens(ctx, who.Subject); err != nil {
		s.Log.WarnContext(ctx, "tokens of an erased user stay in the cache until they expire", "error", err)
	}
	return erased, nil
}

// auditPage is how many audit records are held in memory at a time.
const auditPage = 500

// auditExporter exports the audit trail of a subject.
type auditExporter struct{ store Store }

// recordView is an audit record as its subject sees it.
type recordView struct {
	ID        string       `json:"id"`
	At        time.Time    `json:"at"`
	Action    audit.Action `json:"action"`
	Actor     string       `json:"actor"`
	Role      string       `json:"role"`
	Object    string       `json:"object"`
	Outcome   string       `json:"outcome"`
	Detail    string       `json:"detail"`
	RequestID string       `json:"request_id"`
	Address   string       `json:"address"`
	UserAgent string       `json:"user_agent"`
}

// Export writes the audit records about subject, oldest first.
func (a auditExporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	var last audit.Record
	for {
		records, err := a.store.Trail(ctx, subject, last, auditPage)
		if err != nil {
			return err
		}
		for _, r := range records {
			view := recordView{
				ID: r.ID, At: r.At, Action: r.Action, Actor: r.Actor, Role: r.Role, Object: r.Object,
				Outcome: string(r.Outcome), Detail: r.Detail, RequestID: r.RequestID, Address: r.Address, UserAgent: r.UserAgent,
			}
			if err := json.MarshalEncode(e, view); err != nil {
				return err
			}
			last = r
		}
		if len(records) < auditPage {
			return e.WriteToken(jsontext.EndArray)
		}
	}
}
