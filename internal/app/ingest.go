package app

import (
	"bytes"
	"context"
	"errors"
	"hash"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/gateway"
	"casbroker/internal/httpapi"
	"casbroker/internal/ingest"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
	"casbroker/internal/tracing"
)

// newStatementJobs returns what parses statements after their requests were answered.
func newStatementJobs(c config.Statements, statements *ingest.Service, db *store.DB, observe func(string), tracer *tracing.Tracer, log *slog.Logger, now func() time.Time) *ingest.Jobs {
	return &ingest.Jobs{
		Service: statements, Store: db, Workers: c.Workers, Log: log, Now: now, Observe: observe, Tracer: tracer,
		Limits: ingest.JobLimits{PerUser: c.MaxJobsPerUser, All: c.MaxJobs, Bytes: int(c.MaxStored)},
	}
}

// startStatementJobs has jobs run until the broker is closed. Those in progress then have
// server.drain_timeout.
func (a *App) startStatementJobs(ctx context.Context, jobs *ingest.Jobs) {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { jobs.Run(ctx) })
	a.onClose(func() error {
		stop()
		running.Wait()
		jobs.Close(a.settings.Server.DrainTimeout)
		return nil
	})
}

// countStatementJobs returns a job that publishes how many statements wait.
func countStatementJobs(db *store.DB, metrics *telemetry.StatementJobs, now func() time.Time) job {
	return job{name: "count statements that wait", every: backlogEvery, atStart: true, do: func(ctx context.Context) error {
		q, err := db.JobQueue(ctx)
		if err != nil {
			return err
		}
		age := time.Duration(0)
		if !q.Oldest.IsZero() {
			age = now().Sub(q.Oldest)
		}
		metrics.Set(q.Waiting, q.Running, age)
		return nil
	}}
}

// parseMail returns the consents to parse forwarded files. If the settings offer that, jobs
// parse those files.
func parseMail(c config.Config, jobs *ingest.Jobs, mail *gateway.Mail, db *store.DB) *ingest.Consents {
	if c.Inbound.Parse {
		jobs.FromVendor = gateway.NewFileHosts(c.Inbound.FileHosts, c.Upstream.URL).Allow
		mail.Arrived = func(context.Context, gateway.Arrival) { jobs.Wake() }
	}
	return &ingest.Consents{Store: db, Offered: c.Inbound.Parse, Now: jobs.Now, Added: jobs.Wake}
}

// statementParser parses documents with the gateway.
type statementParser struct{ gateway *gateway.Handler }

// Parse has the vendor parse the body of r.
func (s statementParser) Parse(w http.ResponseWriter, r *http.Request, p ingest.Parsing) (ingest.Answer, error) {
	a, err := s.gateway.Call(w, r, gateway.UserCall{
		Subject: p.Subject, RequestID: p.RequestID, Method: http.MethodPost, Path: gateway.ParsePath, Captures: p.Copy, Before: p.Before, Strict: true, Hash: p.Sum,
	})
	return ingest.Answer{Status: a.Status, Header: a.Header, Body: a.Body}, err
}

// Read reads the body of r, with the same checks.
func (s statementParser) Read(w http.ResponseWriter, r *http.Request, subject string, sum hash.Hash, memory *httpapi.BodyShare) ([]byte, error) {
	return s.gateway.Check(w, r, gateway.UserCall{Subject: subject, Method: http.MethodPost, Path: gateway.ParsePath, Strict: true, Hash: sum}, memory)
}

// Ask makes another call of the vendor for a user.
func (s statementParser) Ask(w http.ResponseWriter, r *http.Request, subject, requestID, path string, body []byte) (ingest.Answer, error) {
	sent, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "/", bytes.NewReader(body))
	if err != nil {
		return ingest.Answer{}, err
	}
	sent.Header.Set("Content-Type", "application/json")
	a, err := s.gateway.Call(w, sent, gateway.UserCall{Subject: subject, RequestID: requestID, Method: http.MethodPost, Path: path})
	return ingest.Answer{Status: a.Status, Header: a.Header, Body: a.Body}, err
}

// statementSaver saves the vendor's answers as portfolios.
type statementSaver struct{ uploads *portfolio.Uploads }

// Upload announces a statement.
func (s statementSaver) Upload(ctx context.Context, who auth.Principal, key string) (ingest.Upload, bool, error) {
	up, err := s.uploads.Upload(ctx, who, key)
	if errors.Is(err, portfolio.ErrKeyAnswered) {
		return nil, true, nil
	}
	return statementUpload{up}, false, err
}

// CheckQuota returns portfolio.ErrQuota if who may have no more statements.
func (s statementSaver) CheckQuota(ctx context.Context, who auth.Principal) error {
	return s.uploads.Portfolios.CheckQuota(ctx, who.Subject)
}

// Resume announces the statement of a job.
func (s statementSaver) Resume(who auth.Principal, jobID string) ingest.Upload {
	return statementUpload{s.uploads.Resume(who, jobID)}
}

// Replay returns the answer to an earlier request.
func (s statementSaver) Replay(ctx context.Context, who auth.Principal, key string, document [32]byte) (ingest.Saved, error) {
	return savedStatement(s.uploads.Replay(ctx, who, key, document))
}

// Payload returns the vendor's answer that a portfolio was made of.
func (s statementSaver) Payload(ctx context.Context, who auth.Principal, portfolioID string) ([]byte, error) {
	return s.uploads.Portfolios.Payload(ctx, who, portfolioID)
}

// statementUpload is one statement.
type statementUpload struct{ *portfolio.Upload }

// Save saves it.
func (s statementUpload) Save(ctx context.Context, document [32]byte) (ingest.Saved, error) {
	return savedStatement(s.Upload.Save(ctx, document))
}

func savedStatement(r portfolio.SaveResult, err error) (ingest.Saved, error) {
	return ingest.Saved{PortfolioID: r.PortfolioID, Created: r.Created, Replayed: r.Replayed, Body: r.Body}, err
}
