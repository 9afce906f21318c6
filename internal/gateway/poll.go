package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

const (
	// defaultFiles and maxFiles bound the files of one answer, as at the vendor.
	defaultFiles = 20
	maxFiles     = 50
	// pollTimeout bounds how long a poll waits for the vendor.
	pollTimeout = 5 * time.Second
)

var errPoll = fault.New(fault.Invalid, "invalid_query", "since must be an ISO 8601 timestamp and limit between 1 and 50.")

// fileList is the vendor's answer to a poll.
type fileList struct {
	Status string           `json:"status"`
	Files  []map[string]any `json:"files"`
	Count  int              `json:"count"`
	Cursor *string          `json:"cursor"`
}

// pollAddress answers with the files that have arrived at an address of the caller. They
// come from the database. If the vendor has not been asked about the address lately, it is
// asked first; of concurrent polls on all replicas one does that.
func (x *exchange) pollAddress(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a, err := x.Mail.Store.MailAddress(ctx, x.resource)
	if err != nil {
		return err
	}
	if a.ID == "" || a.Subject != x.token.Subject {
		return ErrNoAddress
	}
	query := r.URL.Query()
	since, okSince := time.Time{}, true
	if text := query.Get("since"); text != "" {
		since, okSince = parseTimestamp(text)
	}
	limit, okLimit := number(query.Get("limit"), defaultFiles)
	if !okSince || !okLimit || limit < 1 || limit > maxFiles {
		return errPoll
	}
	if err := x.refresh(ctx, a); err != nil {
		return err
	}
	now := x.Now()
	files, err := x.Mail.Store.MailFiles(ctx, a.ID, since, now, limit)
	if err != nil {
		return err
	}
	x.answered = OutcomeOK
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.MarshalWrite(w, listFiles(files, now), json.Deterministic(true))
}

// listFiles returns the answer with these files. The cursor is null without files.
func listFiles(files []MailFile, now time.Time) fileList {
	list := fileList{Status: "success", Files: []map[string]any{}}
	for _, f := range files {
		if f.Members == nil {
			continue // the store has logged it
		}
		list.Files = append(list.Files, f.show(now))
		cursor := f.ReceivedAt.UTC().Format(timestamp)
		list.Cursor = &cursor
	}
	list.Count = len(list.Files)
	return list
}

// refresh asks the vendor for new files of a, if that is due and no other poll does. It
// returns ErrNoAddress if the address has expired at the vendor, and no other error: what
// is stored is a good answer, too.
func (x *exchange) refresh(ctx context.Context, a MailAddress) error {
	answer, err := PollStored, error(nil)
	now := x.Now()
	if until, due := x.Mail.due(a, now); due {
		var claimed bool
		claimed, err = x.Mail.Store.ClaimAsk(ctx, a.ID, now, until, now.Add(maxSkew))
		if claimed {
			answer = PollAsked
			// The caller may leave; the answer is good for others.
			ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
			err = x.askFiles(ask, a)
			cancel()
		}
	}
	gone := errors.Is(err, ErrNoAddress)
	if err != nil && !gone {
		answer = PollFailed
		x.Log.WarnContext(ctx, "the vendor could not be asked for the files of an address; the poll got what is stored",
			"request_id", x.id, "error", err)
	}
	if x.Mail.ObservePoll != nil {
		x.Mail.ObservePoll(answer)
	}
	if gone {
		return err
	}
	return nil
}

// askFiles asks the vendor for the files of a after its cursor and stores them. If the
// vendor does not know the address, it is released.
func (x *exchange) askFiles(ctx context.Context, a MailAddress) error {
	x.keyName = a.KeyName
	x.query = url.Values{"limit": {fmt.Sprint(maxFiles)}}
	if a.Cursor != "" {
		x.query.Set("since", a.Cursor)
	}
	answer, err := x.ask(ctx, http.MethodGet, addressPath(a.ID)+"/files")
	switch {
	case err != nil:
		return err
	case answer.status == http.StatusNotFound && jsontext.Value(answer.body).Kind() == jsontext.KindBeginObject:
		if err := x.Owned.ReleaseResource(ctx, Address, a.ID); err != nil {
			return err
		}
		return ErrNoAddress
	case answer.failed():
		return errBadAnswer.Because(fmt.Errorf("HTTP %d", answer.status))
	}
	var got struct {
		Files  []map[string]jsontext.Value `json:"files"`
		Cursor string                      `json:"cursor"`
	}
	if err := answer.decode(&got); err != nil {
		return errBadAnswer.Because(errors.New("not a list of files")) // the error may repeat a URL
	}
	if len(got.Files) == 0 {
		return nil
	}
	if _, ok := parseTimestamp(got.Cursor); !ok {
		return errBadAnswer.Because(errors.New("files without a cursor"))
	}
	files := make([]MailFile, len(got.Files))
	for i, members := range got.Files {
		if files[i], err = newMailFile(members, x.Now()); err != nil {
			return errBadAnswer.Because(err)
		}
	}
	_, err = x.Mail.add(ctx, a, files, got.Cursor)
	return err
}
