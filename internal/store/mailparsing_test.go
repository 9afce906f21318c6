package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/gateway"
	"casbroker/internal/ingest"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// wideLimits stop no test.
var wideLimits = ingest.JobLimits{PerUser: 100, All: 1000, Bytes: 1 << 30}

func giveConsent(t *testing.T, s *store.DB, subject string, password secret.Text, at time.Time) ingest.Consent {
	t.Helper()
	c, err := s.GiveConsent(t.Context(), subject, password, at, audit.New(t.Context(), at, subject, audit.MailConsent, subject, ""))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// takeForwarded adds jobs for files that are due at savedAt, and takes one; nil for none.
func takeForwarded(t *testing.T, s *store.DB) (*ingest.Job, *ingest.ForwardedFile) {
	t.Helper()
	if err := s.AddForwarded(t.Context(), savedAt, wideLimits); err != nil {
		t.Fatal(err)
	}
	j, document, err := s.TakeJob(t.Context(), "one", savedAt, savedAt.Add(time.Minute))
	if err != nil || document.Body != nil {
		t.Fatalf("got %+v, %v", j, err)
	}
	return j, document.Forwarded
}

func failForwarded(t *testing.T, s *store.DB, j *ingest.Job, refused time.Time) {
	t.Helper()
	f := ingest.Failure{Problem: []byte("{}"), Reason: "X", At: savedAt, Deleted: savedAt.Add(time.Hour), Refused: refused}
	if err := s.FailJob(t.Context(), j.ID, "one", f); err != nil {
		t.Fatal(err)
	}
}

func TestForwardedFilesOfAUserAreTakenOneByOne(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		own(t, s, gateway.Address, "ie_2", "demo:ravi", savedAt)
		addFiles(t, s, "ie_1", "", mailFile("msg_0", "early.pdf", savedAt))
		giveConsent(t, s, "demo:asha", "hush", savedAt)
		addFiles(t, s, "ie_1", "", mailFile("msg_1", "a.pdf", savedAt), mailFile("msg_2", "b.pdf", savedAt))
		addFiles(t, s, "ie_2", "", mailFile("msg_3", "c.pdf", savedAt))
		var replicas sync.WaitGroup
		for range 4 {
			replicas.Go(func() {
				if err := s.AddForwarded(t.Context(), savedAt, wideLimits); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
		if list, err := s.Jobs(t.Context(), "demo:asha"); err != nil || len(list) != 1 {
			t.Fatalf("got the jobs %+v, %v, want one", list, err)
		}
		first, f := takeForwarded(t, s)
		if first == nil || f == nil || f.URL != "https://files.example/secret-link" || f.Password != "hush" || f.Address != "ie_1" {
			t.Fatalf("got %+v, %+v", first, f)
		}
		if other, _ := takeForwarded(t, s); other != nil {
			t.Errorf("got %+v while the first job runs", other)
		}
		failForwarded(t, s, first, time.Time{})
		second, _ := takeForwarded(t, s)
		if second == nil || second.ID == first.ID {
			t.Fatalf("got %+v, want a job for the other file", second)
		}
		failForwarded(t, s, second, time.Time{})
		if third, _ := takeForwarded(t, s); third != nil {
			t.Errorf("got %+v: a file is taken once", third)
		}
	})
}

func TestRefusedFileIsDueWithTheNextPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		first := giveConsent(t, s, "demo:asha", "wrong", savedAt)
		addFiles(t, s, "ie_1", "", mailFile("msg_1", "a.pdf", savedAt))
		j, _ := takeForwarded(t, s)
		failForwarded(t, s, j, first.PasswordAt)
		if c, err := s.Consent(t.Context(), "demo:asha"); err != nil || !c.RefusedAt.Equal(savedAt) {
			t.Errorf("got %+v, %v, want the refusal", c, err)
		}
		if again, _ := takeForwarded(t, s); again != nil {
			t.Fatalf("got %+v with the refused password", again)
		}
		second := giveConsent(t, s, "demo:asha", "also wrong", savedAt)
		if !second.PasswordAt.After(first.PasswordAt) || !second.RefusedAt.IsZero() || !second.GivenAt.Equal(first.GivenAt) {
			t.Errorf("got %+v after %+v", second, first)
		}
		j, f := takeForwarded(t, s)
		if f.Password != "also wrong" {
			t.Errorf("got the password %q", f.Password.Reveal())
		}
		giveConsent(t, s, "demo:asha", "right", savedAt) // while the job runs
		failForwarded(t, s, j, second.PasswordAt)
		if c, err := s.Consent(t.Context(), "demo:asha"); err != nil || !c.RefusedAt.IsZero() {
			t.Errorf("got %+v, %v: another password was refused", c, err)
		}
		if _, f := takeForwarded(t, s); f == nil || f.Password != "right" {
			t.Errorf("got %+v, want the file with the new password", f)
		}
	})
}

func TestWithdrawnConsentLeavesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		giveConsent(t, s, "demo:asha", "hush", savedAt)
		addFiles(t, s, "ie_1", "", mailFile("msg_1", "a.pdf", savedAt), mailFile("msg_2", "b.pdf", savedAt))
		if err := s.AddForwarded(t.Context(), savedAt, wideLimits); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.WithdrawConsent(t.Context(), "demo:asha", audit.New(t.Context(), savedAt, "demo:asha", audit.MailWithdraw, "demo:asha", "")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Consent(t.Context(), "demo:asha"); !errors.Is(err, ingest.ErrNoConsent) {
			t.Errorf("got %v", err)
		}
		if list, err := s.Jobs(t.Context(), "demo:asha"); err != nil || len(list) != 0 {
			t.Errorf("got the jobs %+v, %v", list, err)
		}
		giveConsent(t, s, "demo:asha", "hush", savedAt)
		if j, _ := takeForwarded(t, s); j != nil {
			t.Errorf("got %+v for a file of the consent before", j)
		}
		if trail, err := s.Trail(t.Context(), "demo:asha", audit.Record{}, 10); err != nil || len(trail) != 3 {
			t.Errorf("got the trail %+v, %v, want two consents and one withdrawal", trail, err)
		}
	})
}
