package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/id"
	"casbroker/internal/ingest"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/webhook"
)

// jobLimits are narrow.
var jobLimits = ingest.JobLimits{PerUser: 2, All: 3, Bytes: 1 << 20}

func newJob(subject, key string, at time.Time) ingest.NewJob {
	return ingest.NewJob{
		Job: ingest.Job{ID: id.New("jb"), Subject: subject, State: ingest.Waiting, CreatedAt: at}, Key: key,
		Document: ingest.Document{ContentType: "multipart/form-data; boundary=x", Body: []byte("the document of " + subject)},
		Sum:      sha256.Sum256([]byte(subject + key)),
	}
}

// addJob adds a job, within wide limits, and returns it.
func addJob(t *testing.T, s *store.DB, subject, key string, at time.Time) ingest.Job {
	t.Helper()
	j, err := s.AddJob(t.Context(), newJob(subject, key, at), ingest.JobLimits{PerUser: 100, All: 1000, Bytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// lostAt is how jobs fail whose process was killed.
func lostAt(at, deleted time.Time) ingest.Failure {
	return ingest.Failure{Problem: []byte(`{"code":"outcome_unknown"}`), Reason: "OUTCOME_UNKNOWN", At: at, Deleted: deleted}
}

// TestLostJobIsReportedOnce also settles the call of the job, whose end was not recorded, and
// calls of others with its id as that of their request.
func TestLostJobIsReportedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		job := addJob(t, s, "demo:asha", "", savedAt)
		if _, _, err := s.TakeJob(t.Context(), "one", savedAt, savedAt); err != nil {
			t.Fatal(err)
		}
		for i, subject := range []string{"demo:asha", "demo:rohan"} {
			c := budget.Call{ID: fmt.Sprint("gc_", i), Subject: subject, Who: subject, App: "demo", RequestID: job.ID, Feature: "smart_parser", StartedAt: savedAt, Reserved: credit.One}
			_, err := s.BeginCall(t.Context(), c, c.Counters(), func([]credit.Amount, func() ([]budget.Raise, error)) ([]budget.Reached, error) { return nil, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if _, err := s.FailLostJobs(t.Context(), lostAt(savedAt.Add(time.Minute), savedAt.Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2 {
			if _, ended, err := s.EndCall(t.Context(), fmt.Sprint("gc_", i), budget.Result{Outcome: budget.OutcomeUnknown, Delivery: budget.Unknown}, savedAt); err != nil || !ended {
				t.Fatal(ended, err)
			}
		}
		number(t, s)
		got := eventsAfter(t, s, 0)
		if len(got) != 2 {
			t.Fatalf("got %+v, want an event of the job and one of the other user's call", got)
		}
		of := map[string]webhook.Event{got[0].Subject: got[0], got[1].Subject: got[1]}
		if e := of["demo:asha"]; e.Type != webhook.StatementFailed || e.Object.JobID != job.ID || e.Object.CallID != "" || e.Object.Reason != "OUTCOME_UNKNOWN" {
			t.Errorf("got %+v, want the failure of %s", e, job.ID)
		}
		if e := of["demo:rohan"]; e.Object.CallID != "gc_1" || e.Object.JobID != "" {
			t.Errorf("got %+v, want the failure of a call", e)
		}
	})
}

func TestJobIsTakenOnceAndNeverAgainAfterItsLease(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		added := addJob(t, s, "demo:asha", "", savedAt)
		took, document, err := s.TakeJob(t.Context(), "one", savedAt, savedAt.Add(time.Minute))
		if err != nil || took == nil || took.ID != added.ID || string(document.Body) != "the document of demo:asha" ||
			document.ContentType != "multipart/form-data; boundary=x" {
			t.Fatalf("got %+v, %+v, %v", took, document, err)
		}
		late := savedAt.Add(2 * time.Minute)
		if again, _, err := s.TakeJob(t.Context(), "two", late, late.Add(time.Minute)); again != nil || err != nil {
			t.Errorf("got %+v, %v: it may have been parsed", again, err)
		}
		if held, err := s.ExtendJob(t.Context(), added.ID, "one", savedAt.Add(90*time.Second)); !held || err != nil {
			t.Errorf("got %v, %v", held, err)
		}
		for _, c := range []struct {
			at   time.Time
			want ingest.State
		}{{savedAt.Add(80 * time.Second), ingest.Running}, {late, ingest.Failed}} {
			if _, err := s.FailLostJobs(t.Context(), lostAt(c.at, late.Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
			if j, err := s.Job(t.Context(), "demo:asha", added.ID); err != nil || j.State != c.want {
				t.Errorf("got %+v, %v, want %s", j, err, c.want)
			}
		}
		if err := s.Verify(t.Context(), func(n store.Tally) {
			if n.Table == "statement_jobs" && n.Rows > 1 { // the problem
				t.Errorf("%d sealed values are left", n.Rows)
			}
		}); err != nil {
			t.Error(err)
		}
		if err := s.DropJobs(t.Context(), late.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Job(t.Context(), "demo:asha", added.ID); !errors.Is(err, ingest.ErrNoJob) {
			t.Errorf("got %v, want that it is deleted", err)
		}
	})
}

func TestLostJobWithAStoredAnswerIsDone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		added := addJob(t, s, "demo:asha", "", savedAt)
		if _, _, err := s.TakeJob(t.Context(), "one", savedAt, savedAt); err != nil {
			t.Fatal(err)
		}
		c := portfolio.Capture{ID: id.New("ca"), Subject: "demo:asha", At: savedAt, Payload: ledgers(1), Uploaded: true, Job: added.ID}
		if err := s.KeepCapture(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := s.FailLostJobs(t.Context(), lostAt(savedAt.Add(time.Hour), savedAt.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
		if j, err := s.Job(t.Context(), "demo:asha", added.ID); err != nil || j.State != ingest.Running {
			t.Errorf("got %+v, %v, want it to wait for its capture", j, err)
		}
		if found, err := s.Capture(t.Context(), c.ID); err != nil || !found.Uploaded || found.Job != added.ID {
			t.Errorf("got %+v, %v", found, err)
		}
	})
}

func TestJobsAreLimitedAndKeptApart(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		first := addJob(t, s, "demo:asha", "key", savedAt)
		if again := addJob(t, s, "demo:asha", "key", savedAt.Add(time.Second)); again.ID != first.ID {
			t.Errorf("got %s, want the job of the same key", again.ID)
		}
		other := newJob("demo:asha", "key", savedAt)
		other.Sum[0]++
		if _, err := s.AddJob(t.Context(), other, jobLimits); !errors.Is(err, ingest.ErrKeyReused) {
			t.Errorf("got %v for another document", err)
		}
		addJob(t, s, "demo:asha", "", savedAt)
		if _, err := s.AddJob(t.Context(), newJob("demo:asha", "", savedAt), jobLimits); !errors.Is(err, ingest.ErrUserJobs) {
			t.Errorf("got %v, want the limit of a user", err)
		}
		addJob(t, s, "demo:rohan", "key", savedAt)
		if _, err := s.AddJob(t.Context(), newJob("demo:ravi", "", savedAt), jobLimits); !errors.Is(err, ingest.ErrJobs) {
			t.Errorf("got %v, want the limit of all", err)
		}
		if _, err := s.Job(t.Context(), "demo:rohan", first.ID); !errors.Is(err, ingest.ErrNoJob) {
			t.Errorf("got %v for another user's job", err)
		}
		if list, err := s.Jobs(t.Context(), "demo:asha"); err != nil || len(list) != 2 {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}
