package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/tracing"
)

// State is that of a Job.
type State string

// The states of jobs.
const (
	Waiting State = "waiting"
	Running State = "running" // the vendor may have got the document
	Done    State = "done"
	Failed  State = "failed"
)

// Job is a statement that is parsed after its request was answered.
type Job struct {
	ID          string // "jb_…"
	Subject     string
	State       State
	CreatedAt   time.Time
	EndedAt     time.Time // zero until it is Done or Failed
	Tries       int       // after which the vendor had nothing of the document
	PortfolioID string    // if it is Done
	Created     bool      // the portfolio is new
	Problem     []byte    // JSON: a Problem, if it is Failed
	Traceparent string    // of the request, in the form of tracing.Traceparent; known while it is Running
}

// Document is a statement, as it was received.
type Document struct {
	ContentType string
	Body        []byte // with the password
	// Forwarded is a file of a forwarding address that is the document instead; nil for none.
	Forwarded *ForwardedFile
}

// NewJob is a job that is about to be added.
type NewJob struct {
	Job
	Document Document
	// Key identifies the request of the subject among those with an Idempotency-Key, "" for
	// one without. Sum is the hash of its document.
	Key string
	Sum [sha256.Size]byte
	// Refused is why the job may not be added; nil if it may. A repetition of an earlier job
	// is not refused.
	Refused error
}

// JobLimits bound the jobs that have not ended.
type JobLimits struct {
	PerUser, All int
	Bytes        int // of the documents of all
}

// JobStore stores jobs. Documents and problems are sealed; a document is deleted when its
// job ends. A job is Done in the transaction that saves its portfolio.
type JobStore interface {
	// AddJob adds a job. It returns the earlier job if there is one with the same key and
	// document, ErrKeyReused if that had another document, Refused if that is set, and
	// ErrUserJobs and ErrJobs beyond the limits.
	AddJob(ctx context.Context, j NewJob, l JobLimits) (Job, error)
	// Job returns a job of subject, or ErrNoJob.
	Job(ctx context.Context, subject, jobID string) (Job, error)
	Jobs(ctx context.Context, subject string) ([]Job, error)
	// TakeJob makes the oldest job that is due Running until the end of the lease, and
	// returns it with its document; nil if there is none.
	TakeJob(ctx context.Context, holder string, now, until time.Time) (*Job, Document, error)
	// ExtendJob makes the lease longer. It returns false if the job is not the holder's.
	ExtendJob(ctx context.Context, jobID, holder string, until time.Time) (bool, error)
	// ReturnJob makes a job Waiting again: the vendor got nothing.
	ReturnJob(ctx context.Context, jobID, holder string, next time.Time) error
	// FailJob ends a job, with its event. A forwarded file whose password was refused is due
	// again once there is another one.
	FailJob(ctx context.Context, jobID, holder string, f Failure) error
	// FailLostJobs ends the jobs whose lease has ended at f.At, unless the vendor's answer is
	// stored, each with its event, and returns how many.
	FailLostJobs(ctx context.Context, f Failure) (int, error)
	// DropJobs deletes the jobs that were to be deleted until now.
	DropJobs(ctx context.Context, now time.Time) error
	// AddForwarded adds jobs for forwarded files that are due, the oldest of each user who
	// has no such job, within the limits of all jobs.
	AddForwarded(ctx context.Context, now time.Time, l JobLimits) error
}

// Failure is how a job failed.
type Failure struct {
	Problem     []byte // JSON
	Reason      string // a stable code
	At, Deleted time.Time
	// Refused is when the password of a forwarded file was sent that the vendor refused;
	// zero if it did not.
	Refused time.Time
}

const (
	// jobLease is how long a job stays Running after its process was killed; it is extended
	// every extendEvery. It is no setting: it depends on how long the database may be
	// unavailable, not on the vendor or the documents. Nor is maxAge, the vendor's longest
	// outage that a user waits for, nor keepEnded, after which nobody asks.
	jobLease    = 10 * time.Second
	extendEvery = 2 * time.Second
	// maxAge bounds how long a job is tried again. The user of a forwarded file does not wait,
	// and its URL works for longer than maxForwardedAge.
	maxAge, maxForwardedAge = time.Hour, 24 * time.Hour
	// keepEnded is how long jobs are stored after they ended.
	keepEnded = 24 * time.Hour
	// firstRetry and lastRetry bound the time between two tries, which doubles.
	firstRetry, lastRetry = 5 * time.Second, 5 * time.Minute
)

// Faults of jobs.
var (
	ErrNoJob     = fault.New(fault.NotFound, "job_not_found", "You have no job with this id.")
	ErrUserJobs  = fault.New(fault.Limited, "too_many_jobs", "Several of your statements are waiting to be read; wait until one is done.").After(30 * time.Second)
	ErrJobs      = fault.New(fault.Unavailable, "too_many_jobs", "Many statements are waiting to be read; try again later.").After(time.Minute)
	ErrKeyReused = fault.New(fault.Unprocessable, "idempotency_key_reused",
		"This Idempotency-Key was used with another document; use a new key for each statement.")

	errUnknown = fault.New(fault.Unavailable, "outcome_unknown",
		"The service was interrupted while the statement was read, so it is not known whether that succeeded. Look for the portfolio, and send the statement again if it is not there.")
	errUnreadableJob = fault.New(fault.Unavailable, "document_unreadable", "The stored statement cannot be read any more; send it again.")
)

// Jobs has statements parsed after their requests were answered. All fields but FromVendor
// are required. It is safe for concurrent use.
type Jobs struct {
	Service *Service
	Store   JobStore
	Limits  JobLimits
	Workers int // jobs at a time, on each replica
	Log     *slog.Logger
	Now     func() time.Time
	// FromVendor reports whether the vendor has reported files at url; nil if forwarded
	// files are not parsed.
	FromVendor func(url string) bool
	// Observe is called with the outcome of each try of a job; nil means not at all.
	Observe func(outcome string)
	Tracer  *tracing.Tracer // nil for no traces

	once    sync.Once
	working *semaphore.Weighted
	added   chan struct{} // has a value after a job was added here
	failed  atomic.Int64  // when the store last failed, in ms
	all     sync.WaitGroup
}

// The outcomes of a try of a job.
const (
	JobDone        = "done"
	JobSavePending = "save_pending" // the vendor's answer is stored, and saved as a portfolio later
	JobRetried     = "retried"      // the vendor got nothing: it waits again
	JobFailed      = "failed"
	JobLost        = "lost" // its process was killed, so whether it succeeded is not known
)

// JobOutcomes are all of them.
var JobOutcomes = []string{JobDone, JobSavePending, JobRetried, JobFailed, JobLost}

// JobQueue is the jobs that have not ended, of all replicas.
type JobQueue struct {
	Waiting, Running int
	Oldest           time.Time // when the oldest that waits was added; zero if none does
}

func (s *Jobs) observe(outcome string) {
	if s.Observe != nil {
		s.Observe(outcome)
	}
}

func (s *Jobs) init() {
	s.once.Do(func() {
		s.working = semaphore.NewWeighted(int64(s.Workers))
		s.added = make(chan struct{}, 1)
	})
}

// Add stores the document in the body of r as a job of who, after the checks of
// Service.Import.
func (s *Jobs) Add(w http.ResponseWriter, r *http.Request, who auth.Principal, key string) (Job, error) {
	s.init()
	memory := s.Service.Memory.Share()
	defer memory.Release()
	sum := sha256.New()
	body, err := s.Service.Parser.Read(w, r, who.Subject, sum, memory)
	if err != nil {
		return Job{}, explain(err)
	}
	j := NewJob{
		Job:      Job{ID: id.New("jb"), Subject: who.Subject, State: Waiting, CreatedAt: s.Now().UTC().Truncate(time.Millisecond)},
		Document: Document{ContentType: r.Header.Get("Content-Type"), Body: body}, Sum: [sha256.Size]byte(sum.Sum(nil)),
	}
	if key != "" {
		j.Key = who.Actor + " " + key
	}
	j.Refused = s.Service.Saver.CheckQuota(r.Context(), who)
	job, err := s.Store.AddJob(context.WithoutCancel(r.Context()), j, s.Limits)
	if err == nil {
		s.Wake()
	}
	return job, err
}

// Wake has Run look for jobs at once.
func (s *Jobs) Wake() {
	s.init()
	select {
	case s.added <- struct{}{}:
	default: // it will look anyway
	}
}

// Job returns a job of who, or ErrNoJob.
func (s *Jobs) Job(ctx context.Context, who auth.Principal, jobID string) (Job, error) {
	if !id.Is("jb", jobID) {
		return Job{}, ErrNoJob
	}
	return s.Store.Job(ctx, who.Subject, jobID)
}

// Run has jobs parsed as they become due, until ctx ends.
func (s *Jobs) Run(ctx context.Context) {
	s.init()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := s.startDue(ctx); err != nil && ctx.Err() == nil {
			s.storeFailed()
			s.Log.WarnContext(ctx, "statements that wait are not read", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.added:
		}
	}
}

// storeFailed notes that the store failed, so that no process could extend the lease of its job.
func (s *Jobs) storeFailed() { s.failed.Store(s.Now().UnixMilli()) }

// Clean ends the jobs whose process was killed, and deletes those that ended long ago. It is
// meant to be called periodically. It ends no jobs until the store has not failed for jobLease: a lease that has
// ended meanwhile may still be extended, or the vendor's answer be stored.
func (s *Jobs) Clean(ctx context.Context) error {
	now := s.Now()
	if now.Sub(time.UnixMilli(s.failed.Load())) < jobLease {
		return s.Store.DropJobs(ctx, now)
	}
	lost, err := s.Store.FailLostJobs(ctx, failureOfJob(Document{}, errUnknown, now))
	if err != nil {
		s.storeFailed()
	}
	for range lost {
		s.observe(JobLost)
	}
	return errors.Join(err, s.Store.DropJobs(ctx, now))
}

// Close waits for the jobs that run, at most timeout.
func (s *Jobs) Close(timeout time.Duration) {
	done := make(chan struct{})
	go func() {
		s.all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(timeout):
	}
}
