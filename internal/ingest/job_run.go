package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/id"
	"casbroker/internal/tracing"
)

// startDue starts the jobs that are due, as far as there are workers.
func (s *Jobs) startDue(ctx context.Context) error {
	if s.FromVendor != nil {
		if err := s.Store.AddForwarded(ctx, s.Now(), s.Limits); err != nil {
			return err
		}
	}
	for ctx.Err() == nil && s.working.TryAcquire(1) {
		now, holder := s.Now(), id.New("jh")
		job, document, err := s.Store.TakeJob(ctx, holder, now, now.Add(jobLease))
		if err != nil || job == nil {
			s.working.Release(1)
			return err
		}
		s.all.Go(func() {
			defer s.Wake() // another may wait for the worker
			defer s.working.Release(1)
			s.process(context.WithoutCancel(ctx), *job, holder, document)
		})
	}
	return nil
}

// process has the document of a job parsed, once. That is a trace with a link to the one of the request.
func (s *Jobs) process(ctx context.Context, job Job, holder string, document Document) {
	ctx, span := s.Tracer.StartLinked(ctx, "statement job", tracing.Consumer, job.Traceparent)
	defer span.End()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.extend(ctx, job.ID, holder)
	outcome, err := s.try(ctx, job, holder, document)
	span.Text("casbroker.outcome", outcome)
	if err != nil { // Clean ends it
		span.Fail()
		s.Log.WarnContext(ctx, "the end of a job is not recorded", "job", job.ID, "error", err)
		return
	}
	s.observe(outcome)
}

// try has the document of a job parsed, and returns the outcome once it is recorded.
func (s *Jobs) try(ctx context.Context, job Job, holder string, document Document) (outcome string, err error) {
	parsed := s.parse(ctx, job, document)
	f, _ := errors.AsType[*fault.Fault](parsed)
	now := s.Now()
	switch {
	case parsed == nil:
		return JobDone, nil
	case errors.Is(parsed, httpapi.ErrSavePending):
		return JobSavePending, nil
	case s.again(job, document, parsed, f, now):
		return JobRetried, s.Store.ReturnJob(ctx, job.ID, holder, now.Add(max(f.RetryAfter, min(firstRetry<<min(job.Tries, 10), lastRetry))))
	default:
		return JobFailed, s.Store.FailJob(ctx, job.ID, holder, failureOfJob(document, parsed, now))
	}
}

// again reports whether a job that failed with err, which is f, is tried again: the vendor
// has got nothing of it, and that may change soon.
func (s *Jobs) again(job Job, document Document, err error, f *fault.Fault, now time.Time) bool {
	var call interface{ NotSent() bool }
	nothing := errors.As(err, &call) && call.NotSent() || errors.Is(err, errVendorBusy)
	until := job.CreatedAt.Add(maxAge)
	if document.Forwarded != nil {
		until = job.CreatedAt.Add(maxForwardedAge)
	}
	return f != nil && nothing &&
		(f.Kind == fault.Unavailable || f.Kind == fault.Limited || f.Kind == fault.BadGateway) && now.Before(until)
}

// failureOfJob returns what is stored of a job that failed with err.
func failureOfJob(document Document, err error, now time.Time) Failure {
	p := httpapi.ProblemOf(err)
	f := Failure{Problem: problemOf(err), Reason: strings.ToUpper(p.Code), At: now, Deleted: now.Add(keepEnded)}
	if document.Forwarded != nil && p.Code == "invalid_password" {
		f.Refused = document.Forwarded.PasswordAt
	}
	return f
}

func (s *Jobs) parse(ctx context.Context, job Job, document Document) error {
	if file := document.Forwarded; file != nil {
		if err := s.checkHost(ctx, job, *file); err != nil {
			return err
		}
		var err error
		if document, err = documentOf(*file); err != nil {
			return err
		}
	}
	if document.Body == nil {
		return errUnreadableJob
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(document.Body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", document.ContentType)
	_, err = s.Service.run(nil, r, auth.Principal{Subject: job.Subject}, job.ID)
	return err
}

// extend makes the lease of a job longer until ctx ends.
func (s *Jobs) extend(ctx context.Context, jobID, holder string) {
	tick := time.NewTicker(extendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := s.Store.ExtendJob(ctx, jobID, holder, s.Now().Add(jobLease)); err != nil && ctx.Err() == nil {
				s.storeFailed()
				s.Log.WarnContext(ctx, "the lease of a job is not extended", "job", jobID, "error", err)
			}
		}
	}
}

// problemOf returns the problem that err is for the caller.
func problemOf(err error) []byte {
	text, err := json.Marshal(httpapi.ProblemOf(err))
	if err != nil {
		return []byte("null")
	}
	return text
}
