package ingest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/ingest"
)

// oneJob is a JobStore with one job, which is due until it ends.
type oneJob struct {
	ingest.JobStore
	state ingest.State
}

func (s *oneJob) TakeJob(context.Context, string, time.Time, time.Time) (*ingest.Job, ingest.Document, error) {
	if s.state != ingest.Waiting {
		return nil, ingest.Document{}, nil
	}
	s.state = ingest.Running
	return &ingest.Job{ID: "jb_1", Subject: "app:asha", CreatedAt: time.Now()}, ingest.Document{Body: []byte("%PDF-1.4")}, nil
}

func (s *oneJob) ExtendJob(context.Context, string, string, time.Time) (bool, error) {
	return true, nil
}

func (s *oneJob) ReturnJob(context.Context, string, string, time.Time) error {
	s.state = "returned"
	return nil
}

func (s *oneJob) FailJob(context.Context, string, string, ingest.Failure) error {
	s.state = ingest.Failed
	return nil
}

// vendorAnswers is a Parser that answers with status, or fails with err.
type vendorAnswers struct {
	status int
	err    error
}

func (v vendorAnswers) Parse(http.ResponseWriter, *http.Request, ingest.Parsing) (ingest.Answer, error) {
	return ingest.Answer{Status: v.status, Body: []byte(`{}`)}, v.err
}

func (v vendorAnswers) Read(http.ResponseWriter, *http.Request, string, hash.Hash, *httpapi.BodyShare) ([]byte, error) {
	return nil, nil
}

// saves is a Saver whose uploads are saved with err.
type saves struct {
	ingest.Saver
	err error
}

func (s saves) Resume(auth.Principal, string) ingest.Upload { return upload{err: s.err} }

type upload struct {
	ingest.Upload
	err error
}

func (u upload) Save(context.Context, [sha256.Size]byte) (ingest.Saved, error) {
	return ingest.Saved{}, u.err
}

func (u upload) Close(context.Context) {}

// notSent is the error of a call that the vendor has got nothing of.
type notSent struct{ error }

func (notSent) NotSent() bool   { return true }
func (e notSent) Unwrap() error { return e.error }

// lostJobs is a JobStore with a job whose lease has ended, and that fails with err.
type lostJobs struct {
	ingest.JobStore
	err error
}

func (s *lostJobs) FailLostJobs(context.Context, ingest.Failure) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	return 1, nil
}

func (s *lostJobs) DropJobs(context.Context, time.Time) error { return s.err }

// TestJobsAreNotLostRightAfterTheStoreWasAway leaves the processes of jobs time to extend leases that have ended while
// that was not possible.
func TestJobsAreNotLostRightAfterTheStoreWasAway(t *testing.T) {
	t.Parallel()
	store, now, lost := &lostJobs{err: errors.New("away")}, time.Now(), 0
	jobs := &ingest.Jobs{Store: store, Now: func() time.Time { return now }, Observe: func(string) { lost++ }}
	if err := jobs.Clean(t.Context()); !errors.Is(err, store.err) {
		t.Errorf("got %v, want %v", err, store.err)
	}
	store.err = nil
	for _, want := range []int{0, 0, 1} {
		now = now.Add(4 * time.Second)
		if err := jobs.Clean(t.Context()); err != nil || lost != want {
			t.Errorf("got %d lost jobs, %v, want %d", lost, err, want)
		}
	}
}

func TestOutcomesOfJobsAreCounted(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Unavailable, "upstream_unavailable", "The vendor is down.")
	for name, c := range map[string]struct {
		vendor vendorAnswers
		save   error
		want   string
		state  ingest.State
	}{
		"saved":            {vendorAnswers{status: 200}, nil, ingest.JobDone, ingest.Running},
		"saved later":      {vendorAnswers{status: 200}, httpapi.ErrSavePending.Because(errors.New("the database is away")), ingest.JobSavePending, ingest.Running},
		"not saved":        {vendorAnswers{status: 200}, down, ingest.JobFailed, ingest.Failed},
		"refused":          {vendorAnswers{status: 422}, nil, ingest.JobFailed, ingest.Failed},
		"no answer":        {vendorAnswers{err: down}, nil, ingest.JobFailed, ingest.Failed},
		"sent nothing":     {vendorAnswers{err: notSent{down}}, nil, ingest.JobRetried, "returned"},
		"the vendor waits": {vendorAnswers{status: 429}, nil, ingest.JobRetried, "returned"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			store, seen := &oneJob{state: ingest.Waiting}, make(chan string, 10)
			jobs := &ingest.Jobs{
				Service: &ingest.Service{Parser: c.vendor, Saver: saves{err: c.save}}, Store: store, Workers: 1,
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now, Observe: func(outcome string) { seen <- outcome },
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				jobs.Run(ctx)
			}()
			got := <-seen
			stop()
			<-ended
			jobs.Close(time.Second)
			if got != c.want || store.state != c.state || len(seen) != 0 {
				t.Errorf("got %s and the state %s, want %s and %s", got, store.state, c.want, c.state)
			}
			if !slices.Contains(ingest.JobOutcomes, got) {
				t.Errorf("%s is not one of the outcomes", got)
			}
		})
	}
}
