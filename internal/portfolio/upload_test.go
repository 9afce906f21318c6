package portfolio_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/storetest"
)

var (
	uploader = auth.Principal{Subject: "demo:asha", Roles: auth.RoleUser}
	document = sha256.Sum256([]byte("a document"))
)

// uploaded sends a document with the key "k", gets its answer from the vendor, and has that stored.
func (c *captures) uploaded(t *testing.T) *portfolio.Upload {
	t.Helper()
	up, err := (&portfolio.Uploads{Captures: c.Captures}).Upload(t.Context(), uploader, "k")
	if err != nil {
		t.Fatal(err)
	}
	keep, end := up.Begin(uploader.Subject, "")
	keep(minimal("Fund"))
	end(nil)
	return up
}

// repeat sends the document again, with the same key. It returns nil if there is an answer.
func (c *captures) repeat(t *testing.T) error {
	t.Helper()
	up, err := (&portfolio.Uploads{Captures: c.Captures}).Upload(t.Context(), uploader, "k")
	if err == nil {
		up.Close(t.Context())
		t.Fatal("the key is free, so that the document would be sent to the vendor again")
	}
	if errors.Is(err, portfolio.ErrKeyAnswered) {
		return nil
	}
	return err
}

// answered fails the test unless the document, and no other one, gets the portfolio that was saved.
func (c *captures) answered(t *testing.T, b *broker) {
	t.Helper()
	uploads := &portfolio.Uploads{Captures: c.Captures}
	latest := b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK)
	if r, err := uploads.Replay(t.Context(), uploader, "k", document); err != nil || !r.Created || !r.Replayed || r.PortfolioID != latest.ID {
		t.Errorf("got %+v, %v, want the portfolio %s", r, err, latest.ID)
	}
	if _, err := uploads.Replay(t.Context(), uploader, "k", sha256.Sum256(nil)); !errors.Is(err, portfolio.ErrKeyReused) {
		t.Errorf("another document: got %v, want ErrKeyReused", err)
	}
}

func TestKeyOfAStatementThatWillBeSavedGetsItsPortfolio(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, b := capturesOf(t, db)
		b.broken.Store(true)
		up := c.uploaded(t)
		if _, err := up.Save(t.Context(), document); !errors.Is(err, portfolio.ErrSavePending) {
			t.Fatalf("got %v, want ErrSavePending", err)
		}
		up.Close(t.Context())
		for range 2 {
			if err := c.repeat(t); !errors.Is(err, portfolio.ErrSavePending) {
				t.Errorf("before it is saved: got %v, want ErrSavePending", err)
			}
			b.clock.Add(int64(time.Hour)) // the lease has ended
		}
		b.broken.Store(false)
		b.clock.Add(int64(time.Hour))
		if err := c.repeat(t); err != nil {
			t.Errorf("once it can be saved: got %v, want the answer", err)
		}
		c.answered(t, b)
	})
}

// TestKeyOfAnUploadWhoseCallerHasLeftGetsItsPortfolio has a database that is away while the vendor
// answers, and a caller who does not wait.
func TestKeyOfAnUploadWhoseCallerHasLeftGetsItsPortfolio(t *testing.T) {
	t.Parallel()
	c, b := capturesOf(t, storetest.New(t))
	c.Store = &failingCaptures{DB: b.db, errs: []error{store.ErrUnavailable, store.ErrUnavailable}}
	up := c.uploaded(t)
	up.Close(t.Context())
	c.Settle(context.WithoutCancel(t.Context()), uploader.Subject)
	if err := c.repeat(t); err != nil {
		t.Errorf("got %v, want the answer", err)
	}
	if got := b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK).Provenance; got != "verified" {
		t.Errorf("got %s, want verified", got)
	}
}

func TestKeyOfALostAnswerIsFree(t *testing.T) {
	t.Parallel()
	c, b := capturesOf(t, storetest.New(t))
	c.Store = &failingCaptures{DB: b.db, errs: []error{errors.New("the column is too small")}}
	c.uploaded(t).Close(t.Context())
	c.Settle(t.Context(), uploader.Subject)
	c.want(t, portfolio.CaptureLost)
	c.uploaded(t).Close(t.Context())
}

// TestUploadThatAnotherReplicaSavesFirstGetsItsPortfolio has another replica save the answer to an upload between the
// two transactions of the first.
func TestUploadThatAnotherReplicaSavesFirstGetsItsPortfolio(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, b := capturesOf(t, db)
		up := c.uploaded(t)
		b.clock.Add(int64(time.Minute))
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := up.Save(t.Context(), document)
		if latest := b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK); err != nil || !r.Created || r.Replayed || r.PortfolioID != latest.ID || len(r.Body) == 0 {
			t.Errorf("got %+v, %v, want the portfolio %s", r, err, latest.ID)
		}
		up.Close(t.Context())
		c.answered(t, b)
		c.want(t, portfolio.CaptureSaved)
	})
}

func TestUploadWithoutAKeyThatAnotherReplicaSavesFirstIsPending(t *testing.T) {
	t.Parallel()
	c, b := capturesOf(t, storetest.New(t))
	up, err := (&portfolio.Uploads{Captures: c.Captures}).Upload(t.Context(), uploader, "")
	if err != nil {
		t.Fatal(err)
	}
	keep, end := up.Begin(uploader.Subject, "")
	keep(minimal("Fund"))
	end(nil)
	b.clock.Add(int64(time.Minute))
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = up.Save(t.Context(), document)
	f, isFault := errors.AsType[*fault.Fault](err)
	if !isFault || !errors.Is(err, portfolio.ErrSavePending) || f.RetryAfter != 0 || strings.Contains(f.Detail, "again") {
		t.Errorf("got %v, want ErrSavePending that asks for no repetition", err)
	}
	up.Close(t.Context())
	b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK)
}

// slowCaptures is a store that fails to keep a capture once, after a while.
type slowCaptures struct {
	*store.DB
	fail func() error
}

func (s *slowCaptures) KeepCapture(ctx context.Context, c portfolio.Capture) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.DB.KeepCapture(ctx, c)
}

// TestAnswerThatWasStoredLateIsLeftToItsUpload has a database that fails over while the answer is stored: another
// replica does not save it before the upload does.
func TestAnswerThatWasStoredLateIsLeftToItsUpload(t *testing.T) {
	t.Parallel()
	c, b := capturesOf(t, storetest.New(t))
	failed := false
	c.Store = &slowCaptures{DB: b.db, fail: func() error {
		if failed {
			return nil
		}
		failed = true
		b.clock.Add(int64(15 * time.Second))
		return store.ErrUnavailable
	}}
	up := c.uploaded(t)
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want(t) // not saved
	if r, err := up.Save(t.Context(), document); err != nil || !r.Created {
		t.Errorf("got %+v, %v, want a new portfolio", r, err)
	}
	up.Close(t.Context())
	c.answered(t, b)
}

func TestKeyOfAnAnswerThatCannotBeDecryptedIsFree(t *testing.T) {
	t.Parallel()
	url, digest := storetest.SQLite(t), secret.RandomKey()
	c, b := capturesOf(t, storetest.Open(t, url, newBox(t, digest, secret.Key{ID: "k1", Secret: secret.RandomKey()})))
	b.broken.Store(true)
	up := c.uploaded(t)
	if _, err := up.Save(t.Context(), document); !errors.Is(err, portfolio.ErrSavePending) {
		t.Fatalf("got %v, want ErrSavePending", err)
	}
	up.Close(t.Context())
	c, b = capturesOf(t, storetest.Open(t, url, newBox(t, digest, secret.Key{ID: "k2", Secret: secret.RandomKey()})))
	b.clock.Add(int64(time.Hour))
	if err := c.Run(t.Context()); !errors.Is(err, portfolio.ErrUnreadable) {
		t.Errorf("got %v, want ErrUnreadable", err)
	}
	c.uploaded(t).Close(t.Context())
}

// awayStore is a database that is away for some minutes.
type awayStore struct {
	portfolio.Store
	portfolio.CaptureStore
	back time.Time
}

func (s awayStore) KeepCapture(context.Context, portfolio.Capture) error {
	if time.Now().Before(s.back) {
		return store.ErrUnavailable
	}
	return nil
}

func (s awayStore) SavePortfolio(context.Context, portfolio.SaveRequest) (portfolio.SaveResult, error) {
	return portfolio.SaveResult{PortfolioID: "pf_1", Created: true}, nil
}

// TestJobRunsUntilItsAnswerIsStored: the lease of a job is extended only while Save runs.
func TestJobRunsUntilItsAnswerIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		away := awayStore{back: started.Add(5 * time.Minute)}
		log := slog.New(slog.DiscardHandler)
		now := func() time.Time { return begin.Add(time.Since(started)) }
		c := &portfolio.Captures{Store: away, Portfolios: &portfolio.Service{Store: away, Log: log, Now: now}, Log: log, Now: now}
		up := (&portfolio.Uploads{Captures: c}).Resume(uploader, "jb_1")
		keep, end := up.Begin(uploader.Subject, "")
		keep(minimal("Fund"))
		go end(nil)
		r, err := up.Save(t.Context(), document)
		if err != nil || r.PortfolioID != "pf_1" || time.Now().Before(away.back) {
			t.Errorf("got %+v, %v, want the portfolio once the database is back", r, err)
		}
		up.Close(t.Context())
		c.Close()
	})
}

// TestUnsavedAnswersAreLoggedOnceAMinute reads often while the database is away.
func TestUnsavedAnswersAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	c, b := capturesOf(t, storetest.New(t))
	log := &logtest.Log{}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	count := func(text string) int { return bytes.Count([]byte(log.String()), []byte(text)) }
	c.Store = unreadCaptures{DB: b.db}
	_, end := c.Begin(uploader.Subject, "")
	minutes := func(n int) {
		for range 10 * n {
			c.Settle(t.Context(), "demo:ravi")
			b.clock.Add(int64(6 * time.Second))
		}
	}
	minutes(3)
	if got := count("answers of the vendor are not saved"); got != 3 || !strings.Contains(log.String(), "in_progress=1") {
		t.Errorf("got %d lines in three minutes, want 3 with the number of answers: %s", got, log)
	}
	if err := c.Run(t.Context()); err == nil || count("the database works again") != 0 {
		t.Errorf("while the database is away: got %v, %s", err, log)
	}
	c.Store = b.db
	for range 3 {
		if err := c.Run(t.Context()); err != nil { // also while an answer is on its way
			t.Fatal(err)
		}
	}
	if got := count("the database works again"); got != 1 {
		t.Errorf("got %d lines when the database is back, want 1: %s", got, log)
	}
	end(errors.New("the answer broke off"))
}

// TestAnswerThatCannotBeDecryptedIsNotLoggedAsAFailingDatabase has a read look for the answer, and the periodic run.
func TestAnswerThatCannotBeDecryptedIsNotLoggedAsAFailingDatabase(t *testing.T) {
	t.Parallel()
	c, b := capturesOf(t, storetest.New(t))
	log := &logtest.Log{}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	b.broken.Store(true)
	c.see(minimal("Fund"))
	c.Store = undecryptedCaptures{DB: b.db}
	for range 3 {
		b.clock.Add(int64(time.Hour))
		c.Settle(t.Context(), uploader.Subject)
		b.clock.Add(int64(time.Hour))
		if err := c.Run(t.Context()); !errors.Is(err, portfolio.ErrUnreadable) {
			t.Errorf("got %v, want ErrUnreadable", err)
		}
	}
	if text := log.String(); strings.Contains(text, "the database fails") || strings.Contains(text, "the database works") || strings.Count(text, "answers of the vendor are not saved yet") != 3 {
		t.Errorf("got %s, want it from each read that tried, and nothing of the database", text)
	}
}

// undecryptedCaptures is a store whose captures cannot be decrypted.
type undecryptedCaptures struct{ *store.DB }

func (s undecryptedCaptures) Capture(ctx context.Context, id string) (portfolio.Capture, error) {
	c, err := s.DB.Capture(ctx, id)
	return c, errors.Join(err, portfolio.ErrUnreadable)
}

// unreadCaptures is a store whose captures cannot be listed.
type unreadCaptures struct{ *store.DB }

func (unreadCaptures) DueCaptures(context.Context, string, time.Time, int) ([]string, error) {
	return nil, store.ErrUnavailable
}
