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

// Service exports and erases what is kept of a user. All but Parts is required. It is
// safe for concurrent use.
type Service struct {
	Keeper Keeper
	Forget func(ctx context.Context, subject string) error // what is kept for speed alone
	Parts  []Part                                          // of an export, in their order, before the audit trail
	Log    *slog.Logger
	Now    func() time.Time

	exporting sync.Map     // the subjects whose export is under way here
	running   atomic.Int32 // how many they are
}

// maxExports is how many exports may be under way at a time: each holds a payload or
// a page of rows in memory.
const maxExports = 4

// chunk is how much of an export is written at once, in bytes. A smaller one that
// fails has written nothing.
const chunk = 32 << 10

// Export writes all that is kept of who to w, as one JSON object, once it has put
// on record that it does. An error may come after a part of it was written.
func (s *Service) Export(ctx context.Context, w io.Writer, who auth.Principal) error {
	if _, busy := s.exporting.LoadOrStore(who.Subject, true); busy {
		return errUnderWay
	}
	defer s.exporting.Delete(who.Subject)
	defer s.running.Add(-1)
	if s.running.Add(1) > maxExports {
		return errBusy
	}
	now := s.Now()
	if err := s.Keeper.Append(ctx, audit.New(ctx, now, who.Subject, audit.DataExport, who.Subject, "")); err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, chunk)
	if err := s.write(ctx, out, now, who.Subject); err != nil {
		return err
	}
	return out.Flush()
}

func (s *Service) write(ctx context.Context, out io.Writer, now time.Time, subject string) error {
	// What was received is given back with its strings as they were written.
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
	for _, part := range slices.Concat(s.Parts, []Part{{"audit", trail{s.Keeper}}}) {
		if err := e.WriteToken(jsontext.String(part.Name)); err != nil {
			return err
		}
		if err := part.Export(ctx, e, subject); err != nil {
			return fmt.Errorf("export %s: %w", part.Name, err)
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// Erase deletes all that is kept of who, but for the audit trail, of which the
// subject's id is left and no longer where requests came from, and for when who was
// blocked and revoked, of which the reasons go. A block in force stays, with its reason.
// It puts on record that it did. Erasing what was erased is no error.
func (s *Service) Erase(ctx context.Context, who auth.Principal) (Erased, error) {
	r := audit.New(ctx, s.Now(), who.Subject, audit.DataErase, who.Subject, "").Anonymous()
	erased, err := s.Keeper.Erase(ctx, who.Subject, r)
	if err != nil {
		return erased, err
	}
	if err := s.Forget(ctx, who.Subject); err != nil {
		s.Log.WarnContext(ctx, "tokens of an erased user stay in the cache until they expire", "error", err)
	}
	return erased, nil
}

// page is how many audit records are held in memory at a time.
const page = 500

// trail is the part of an export that tells what was done.
type trail struct{ keeper Keeper }

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
func (t trail) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	var last audit.Record
	for {
		records, err := t.keeper.Trail(ctx, subject, last, page)
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
		if len(records) < page {
			return e.WriteToken(jsontext.EndArray)
		}
	}
}
