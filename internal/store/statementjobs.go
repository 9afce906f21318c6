package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/id"
	"casbroker/internal/ingest"
	"casbroker/internal/portfolio"
	"casbroker/internal/webhook"
)

// keepDone is how long a job is stored after its portfolio was saved.
const keepDone = 24 * time.Hour

// AddJob adds a job, as ingest.JobStore describes.
func (s *DB) AddJob(ctx context.Context, j ingest.NewJob, l ingest.JobLimits) (added ingest.Job, err error) {
	sealed := s.box.Seal(jobData(j.ID), append([]byte(j.Document.ContentType+"\n"), j.Document.Body...))
	var key, sum []byte
	if j.Key != "" {
		key = s.box.Digest("job key", fmt.Appendf(nil, "%q %q", j.Subject, j.Key))
		sum = s.box.Digest("job document", j.Sum[:])
	}
	err = s.change(ctx, "add a job", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSubject(ctx, tx, j.Subject); err != nil {
			return err
		}
		if key != nil {
			earlier, err := s.jobOfKey(ctx, tx, key, sum)
			if err != nil || earlier.ID != "" {
				added = earlier
				return err
			}
		}
		if j.Refused != nil {
			return j.Refused
		}
		if err := checkJobLimits(ctx, tx, j, l); err != nil {
			return err
		}
		added = j.Job
		_, err := tx.ExecContext(ctx, `INSERT INTO statement_jobs (id, subject, state, created_ms, next_ms, size, sealed, request_key, body, traceparent)
			VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9)`,
			j.ID, j.Subject, string(ingest.Waiting), millis(j.CreatedAt), len(sealed), sealed, key, sum, traceparentOf(ctx))
		return err
	})
	return added, err
}

// jobOfKey returns the job with a key, the zero Job if there is none.
func (s *DB) jobOfKey(ctx context.Context, tx *sql.Tx, key, sum []byte) (ingest.Job, error) {
	var body []byte
	j, err := s.scanJob(tx.QueryRowContext(ctx, `SELECT `+jobColumns+`, body FROM statement_jobs WHERE request_key = $1`, key), &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ingest.Job{}, nil
	case err == nil && !bytes.Equal(body, sum):
		return ingest.Job{}, ingest.ErrKeyReused
	default:
		return j, err
	}
}

func checkJobLimits(ctx context.Context, tx *sql.Tx, j ingest.NewJob, l ingest.JobLimits) error {
	var own, all, size int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(CASE WHEN subject = $1 THEN 1 END), COUNT(*), COALESCE(SUM(size), 0)
		FROM statement_jobs WHERE state IN ('waiting', 'running')`, j.Subject).Scan(&own, &all, &size)
	switch {
	case err != nil:
		return fmt.Errorf("count jobs: %w", err)
	case own >= l.PerUser:
		return ingest.ErrUserJobs
	case all >= l.All, size+len(j.Document.Body) > l.Bytes:
		return ingest.ErrJobs
	default:
		return nil
	}
}

const jobColumns = `id, subject, state, created_ms, ended_ms, tries, portfolio, created, sealed`

// scanJob reads jobColumns, and more columns into more.
func (s *DB) scanJob(row interface{ Scan(...any) error }, more ...any) (ingest.Job, error) {
	var j ingest.Job
	var createdMS, created int64
	var endedMS sql.NullInt64
	var sealed []byte
	err := row.Scan(append([]any{&j.ID, &j.Subject, &j.State, &createdMS, &endedMS, &j.Tries, &j.PortfolioID, &created, &sealed}, more...)...)
	if err != nil {
		return j, err
	}
	j.CreatedAt, j.Created = instant(createdMS), created == 1
	if endedMS.Valid {
		j.EndedAt = instant(endedMS.Int64)
	}
	if j.State == ingest.Failed {
		if j.Problem, err = s.box.Open(jobData(j.ID), sealed); err != nil {
			j.Problem = nil // without its key only the state is known
		}
	}
	return j, nil
}

// Job returns a job of subject, or ingest.ErrNoJob.
func (s *DB) Job(ctx context.Context, subject, jobID string) (ingest.Job, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	j, err := s.scanJob(s.reader.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM statement_jobs WHERE id = $1 AND subject = $2`, jobID, subject))
	if errors.Is(err, sql.ErrNoRows) {
		return j, ingest.ErrNoJob
	}
	return j, s.explain(ctx, "read a job", err)
}

// Jobs returns the jobs of subject, the oldest first.
func (s *DB) Jobs(ctx context.Context, subject string) ([]ingest.Job, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.jobs(ctx, subject)
	return list, s.explain(ctx, "list jobs", err)
}

func (s *DB) jobs(ctx context.Context, subject string) ([]ingest.Job, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT `+jobColumns+` FROM statement_jobs WHERE subject = $1 ORDER BY created_ms, id`, subject)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []ingest.Job
	for rows.Next() {
		j, err := s.scanJob(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, j)
	}
	return list, rows.Err()
}

// TakeJob makes the oldest job that is due Running. Another replica does not get it.
func (s *DB) TakeJob(ctx context.Context, holder string, now, until time.Time) (*ingest.Job, ingest.Document, error) {
	if found, err := s.anyJobDue(ctx, now); err != nil || !found {
		return nil, ingest.Document{}, err
	}
	var taken *ingest.Job
	var document ingest.Document
	err := s.change(ctx, "take a job", func(ctx context.Context, tx *sql.Tx) error {
		var sealed []byte
		var file, traceparent string
		j, err := s.scanJob(tx.QueryRowContext(ctx, `UPDATE statement_jobs SET state = 'running', holder = $1, next_ms = $2
			WHERE id = (SELECT id FROM statement_jobs WHERE state = 'waiting' AND next_ms <= $3 ORDER BY next_ms, id LIMIT 1) AND state = 'waiting'
			RETURNING `+jobColumns+`, sealed, mail_file, COALESCE(traceparent, '')`, holder, millis(until), millis(now)), &sealed, &file, &traceparent)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		j.Traceparent = traceparent
		taken = &j
		document, err = s.documentOf(ctx, tx, j, sealed, file)
		return err
	})
	if err != nil || taken == nil {
		return nil, ingest.Document{}, err
	}
	return taken, document, nil
}

// documentOf returns the document of a job, the zero Document if it cannot be read any more.
func (s *DB) documentOf(ctx context.Context, tx *sql.Tx, j ingest.Job, sealed []byte, file string) (ingest.Document, error) {
	if file != "" {
		f, err := s.forwardedFile(ctx, tx, j.Subject, file)
		return ingest.Document{Forwarded: f}, err
	}
	plain, err := s.box.Open(jobData(j.ID), sealed)
	if err != nil {
		return ingest.Document{}, nil //nolint:nilerr // a job without a document fails
	}
	contentType, body, _ := bytes.Cut(plain, []byte("\n"))
	return ingest.Document{ContentType: string(contentType), Body: body}, nil
}

func (s *DB) anyJobDue(ctx context.Context, now time.Time) (found bool, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM statement_jobs WHERE state = 'waiting' AND next_ms <= $1)`, millis(now)).Scan(&found)
	return found, s.explain(ctx, "look for jobs", err)
}

// ExtendJob makes the lease of a job longer.
func (s *DB) ExtendJob(ctx context.Context, jobID, holder string, until time.Time) (held bool, err error) {
	err = s.change(ctx, "extend the lease of a job", func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE statement_jobs SET next_ms = $1 WHERE id = $2 AND holder = $3 AND state = 'running'`,
			millis(until), jobID, holder)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		held = n == 1
		return err
	})
	return held, err
}

// ReturnJob makes a job Waiting again.
func (s *DB) ReturnJob(ctx context.Context, jobID, holder string, next time.Time) error {
	return s.change(ctx, "return a job", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE statement_jobs SET state = 'waiting', next_ms = $1, tries = tries + 1, holder = ''
			WHERE id = $2 AND holder = $3 AND state = 'running'`, millis(next), jobID, holder)
		return err
	})
}

// FailJob ends a job, with its event, and deletes its document.
func (s *DB) FailJob(ctx context.Context, jobID, holder string, f ingest.Failure) error {
	return s.change(ctx, "end a job", func(ctx context.Context, tx *sql.Tx) error {
		_, err := s.failJob(ctx, tx, jobID, f, ` AND state = 'running' AND holder = $5`, holder)
		return err
	})
}

// failJob ends a job if it meets a condition, which begins with AND and has values from $5 on.
func (s *DB) failJob(ctx context.Context, tx *sql.Tx, jobID string, f ingest.Failure, condition string, values ...any) (ended bool, err error) {
	var subject, file string
	err = tx.QueryRowContext(ctx, `UPDATE statement_jobs SET state = 'failed', ended_ms = $1, next_ms = $2, sealed = $3, size = 0
		WHERE id = $4`+condition+` RETURNING subject, mail_file`,
		append([]any{millis(f.At), millis(f.Deleted), s.box.Seal(jobData(jobID), f.Problem), jobID}, values...)...).Scan(&subject, &file)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	o := webhook.Object{JobID: jobID, Reason: f.Reason}
	if file != "" {
		if o.Address, err = refuseForwarded(ctx, tx, subject, file, f); err != nil {
			return false, err
		}
	}
	return true, s.emit(ctx, tx, webhook.New(webhook.StatementFailed, subject, f.At, o))
}

// lostJob is the condition of jobs whose lease has ended at $1, unless the vendor's answer is
// stored.
const lostJob = ` AND state = 'running' AND next_ms <= $1 AND NOT EXISTS (SELECT 1 FROM captures
	WHERE captures.job = statement_jobs.id AND captures.job <> '')`

// FailLostJobs ends the jobs whose lease has ended at f.At, unless the vendor's answer is
// stored, each with its event, and returns how many.
func (s *DB) FailLostJobs(ctx context.Context, f ingest.Failure) (lost int, err error) {
	read, cancel := withTimeout(ctx)
	defer cancel()
	ids, err := readTexts(read, s.reader, `SELECT id FROM statement_jobs WHERE TRUE`+lostJob+` ORDER BY id LIMIT 100`, millis(f.At))
	if err != nil || len(ids) == 0 {
		return 0, s.explain(read, "look for lost jobs", err)
	}
	err = s.change(ctx, "end lost jobs", func(ctx context.Context, tx *sql.Tx) error {
		lost = 0 // it may run again
		for _, jobID := range ids {
			ended, err := s.failJob(ctx, tx, jobID, f, lostJob)
			if err != nil {
				return err
			}
			lost += boolInt(ended)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return lost, nil
}

// JobQueue returns the jobs that have not ended.
func (s *DB) JobQueue(ctx context.Context) (q ingest.JobQueue, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var oldestMS sql.NullInt64
	err = s.reader.QueryRowContext(ctx, `SELECT COUNT(CASE WHEN state = 'waiting' THEN 1 END), COUNT(CASE WHEN state = 'running' THEN 1 END),
		MIN(CASE WHEN state = 'waiting' THEN created_ms END) FROM statement_jobs WHERE state IN ('waiting', 'running')`).
		Scan(&q.Waiting, &q.Running, &oldestMS)
	if oldestMS.Valid {
		q.Oldest = instant(oldestMS.Int64)
	}
	return q, s.explain(ctx, "count jobs", err)
}

// DropJobs deletes the jobs that ended long enough ago.
func (s *DB) DropJobs(ctx context.Context, now time.Time) error {
	return s.change(ctx, "delete old jobs", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM statement_jobs WHERE state IN ('done', 'failed') AND next_ms <= $1`, millis(now))
		return err
	})
}

// endJob records that the statement of a job, "" for none, was saved. That counts even if
// the job was taken for lost before.
func endJob(ctx context.Context, tx *sql.Tx, jobID string, saved portfolio.SaveResult, at time.Time) error {
	if jobID == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE statement_jobs SET state = 'done', ended_ms = $1, next_ms = $2, portfolio = $3, created = $4,
		sealed = NULL, size = 0 WHERE id = $5`,
		millis(at), millis(at.Add(keepDone)), saved.PortfolioID, boolInt(saved.Created), jobID)
	if err != nil {
		return fmt.Errorf("end a job: %w", err)
	}
	return nil
}

// isJob reports whether a call with this request id was made for a job of subject.
func isJob(ctx context.Context, tx *sql.Tx, requestID, subject string) (found bool, err error) {
	if !id.Is("jb", requestID) {
		return false, nil
	}
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM statement_jobs WHERE id = $1 AND subject = $2)`, requestID, subject).Scan(&found)
	return found, err
}

// jobData returns the associated data of a job's document, or of its problem after that.
func jobData(jobID string) string { return "statement_jobs/" + jobID }
