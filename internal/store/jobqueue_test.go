package store_test

import (
	"testing"
	"time"

	"casbroker/internal/ingest"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestJobsThatHaveNotEndedAreCounted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		want := func(waiting, running int, oldest time.Time) {
			t.Helper()
			q, err := s.JobQueue(t.Context())
			if err != nil || q.Waiting != waiting || q.Running != running || !q.Oldest.Equal(oldest) {
				t.Errorf("got %+v, %v, want %d waiting, %d running, the oldest of %v", q, err, waiting, running, oldest)
			}
		}
		want(0, 0, time.Time{})
		for i, id := range []string{"jb_1", "jb_2", "jb_3"} {
			j := ingest.NewJob{Job: ingest.Job{ID: id, Subject: "app:42", CreatedAt: savedAt.Add(time.Duration(i) * time.Minute)}}
			if _, err := s.AddJob(t.Context(), j, ingest.JobLimits{PerUser: 9, All: 9, Bytes: 1 << 20}); err != nil {
				t.Fatal(err)
			}
		}
		want(3, 0, savedAt)
		now := savedAt.Add(time.Hour)
		if j, _, err := s.TakeJob(t.Context(), "jh_1", now, now.Add(time.Minute)); err != nil || j == nil || j.ID != "jb_1" {
			t.Fatalf("got %v, %v, want the oldest", j, err)
		}
		want(2, 1, savedAt.Add(time.Minute))
		for _, most := range []int{1, 0} { // a job is lost once
			lost, err := s.FailLostJobs(t.Context(), ingest.Failure{Problem: []byte("{}"), At: now.Add(time.Hour), Deleted: now.Add(2 * time.Hour)})
			if err != nil || lost != most {
				t.Errorf("got %d lost jobs, %v, want %d", lost, err, most)
			}
		}
		want(2, 0, savedAt.Add(time.Minute))
	})
}
