package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/audit"
	"casbroker/internal/id"
	"casbroker/internal/ingest"
	"casbroker/internal/secret"
)

// addForwardedUsers is how many users get a job for a forwarded file at a time.
const addForwardedUsers = 20

// filesOf selects the addresses of a user whose files are changed, in a condition on mail_files.
const filesOf = `kind = 'inbound_email' AND address IN (SELECT id FROM vendor_resources WHERE kind = 'inbound_email' AND subject = $1)`

// GiveConsent stores the consent of subject to parse forwarded files, or another password.
func (s *DB) GiveConsent(ctx context.Context, subject string, password secret.Text, at time.Time, r audit.Record) (c ingest.Consent, err error) {
	err = s.change(ctx, "store a consent", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSubject(ctx, tx, subject); err != nil {
			return err
		}
		// A later password has a later time, which says whether the vendor has refused it.
		row := tx.QueryRowContext(ctx, `INSERT INTO mail_consents (subject, given_ms, password_ms, sealed) VALUES ($1, $2, $2, $3)
			ON CONFLICT (subject) DO UPDATE SET sealed = excluded.sealed, refused_ms = 0,
			password_ms = CASE WHEN excluded.password_ms > mail_consents.password_ms THEN excluded.password_ms ELSE mail_consents.password_ms + 1 END
			RETURNING `+consentColumns, subject, millis(at), s.box.Seal(consentData(subject), []byte(password.Reveal())))
		var err error
		if c, err = scanConsent(row); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE mail_files SET parse = 'due' WHERE parse = 'refused' AND `+filesOf, subject); err != nil {
			return fmt.Errorf("look at refused files again: %w", err)
		}
		return s.record(ctx, tx, r)
	})
	s.truncate(ctx) // the password before
	return c, err
}

const consentColumns = `given_ms, password_ms, refused_ms`

func scanConsent(row *sql.Row) (ingest.Consent, error) {
	var givenMS, passwordMS, refusedMS int64
	err := row.Scan(&givenMS, &passwordMS, &refusedMS)
	return ingest.Consent{GivenAt: instant(givenMS), PasswordAt: instant(passwordMS), RefusedAt: optionalInstant(refusedMS)}, err
}

// Consent returns the consent of subject, or ingest.ErrNoConsent.
func (s *DB) Consent(ctx context.Context, subject string) (ingest.Consent, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	c, err := scanConsent(s.reader.QueryRowContext(ctx, `SELECT `+consentColumns+` FROM mail_consents WHERE subject = $1`, subject))
	if errors.Is(err, sql.ErrNoRows) {
		return c, ingest.ErrNoConsent
	}
	return c, s.explain(ctx, "read a consent", err)
}

// WithdrawConsent deletes the consent of subject, if there is one, and the jobs that wait for
// it.
func (s *DB) WithdrawConsent(ctx context.Context, subject string, r audit.Record) error {
	withdrawn := false
	err := s.change(ctx, "withdraw a consent", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSubject(ctx, tx, subject); err != nil {
			return err
		}
		n, err := changeRows(ctx, tx, `DELETE FROM mail_consents WHERE subject = $1`, subject)
		if withdrawn = n > 0; err != nil || !withdrawn {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM statement_jobs WHERE subject = $1 AND mail_file <> '' AND state = 'waiting'`, subject); err != nil {
			return fmt.Errorf("delete jobs: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE mail_files SET parse = '' WHERE parse IN ('due', 'refused') AND `+filesOf, subject); err != nil {
			return fmt.Errorf("leave files to the user: %w", err)
		}
		return s.record(ctx, tx, r)
	})
	if withdrawn {
		s.truncate(ctx)
	}
	return err
}

// AddForwarded adds jobs for forwarded files that are due, as ingest.JobStore describes.
func (s *DB) AddForwarded(ctx context.Context, now time.Time, l ingest.JobLimits) error {
	subjects, err := s.usersDue(ctx, now)
	if err != nil {
		return err
	}
	for _, subject := range subjects {
		err := s.change(ctx, "add a job for a forwarded file", func(ctx context.Context, tx *sql.Tx) error {
			return s.addForwarded(ctx, tx, subject, now, l)
		})
		if errors.Is(err, ingest.ErrJobs) {
			return nil // the files stay due
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dueFiles are the files that are due at $1, of users who have no job for one.
const dueFiles = ` FROM mail_files f JOIN vendor_resources r ON r.kind = f.kind AND r.id = f.address JOIN mail_consents c ON c.subject = r.subject
	WHERE f.parse = 'due' AND f.expires_ms > $1 AND NOT EXISTS (SELECT 1 FROM statement_jobs j
		WHERE j.subject = r.subject AND j.mail_file <> '' AND j.state IN ('waiting', 'running'))`

func (s *DB) usersDue(ctx context.Context, now time.Time) ([]string, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := readTexts(ctx, s.reader, `SELECT DISTINCT r.subject`+dueFiles+` LIMIT $2`, millis(now), addForwardedUsers)
	return list, s.explain(ctx, "look for forwarded files", err)
}

func (s *DB) addForwarded(ctx context.Context, tx *sql.Tx, subject string, now time.Time, l ingest.JobLimits) error {
	if err := s.lockSubject(ctx, tx, subject); err != nil {
		return err
	}
	var file string
	err := tx.QueryRowContext(ctx, `SELECT f.id`+dueFiles+` AND r.subject = $2 ORDER BY f.received_us LIMIT 1`, millis(now), subject).Scan(&file)
	if errors.Is(err, sql.ErrNoRows) { // taken by another replica
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a file: %w", err)
	}
	j := ingest.NewJob{Job: ingest.Job{ID: id.New("jb"), Subject: subject, State: ingest.Waiting, CreatedAt: now}}
	l.PerUser = l.All // a user has one such job, besides those of requests
	if err := checkJobLimits(ctx, tx, j, l); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE mail_files SET parse = 'taken' WHERE id = $1`, file); err != nil {
		return fmt.Errorf("take a file: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO statement_jobs (id, subject, state, created_ms, next_ms, size, mail_file) VALUES ($1, $2, $3, $4, $4, 0, $5)`,
		j.ID, subject, string(j.State), millis(now), file)
	return err
}

// forwardedFile returns a file with the password for it, nil if one of them is gone or cannot
// be decrypted.
func (s *DB) forwardedFile(ctx context.Context, tx *sql.Tx, subject, file string) (*ingest.ForwardedFile, error) {
	f := &ingest.ForwardedFile{}
	var sealedFile, sealedPassword []byte
	var passwordMS int64
	err := tx.QueryRowContext(ctx, `SELECT f.address, f.sealed, c.sealed, c.password_ms FROM mail_files f, mail_consents c
		WHERE f.id = $1 AND c.subject = $2`, file, subject).Scan(&f.Address, &sealedFile, &sealedPassword, &passwordMS)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a forwarded file: %w", err)
	}
	var members struct {
		URL string `json:"url"`
	}
	plain, err := s.box.Open(mailFileData(file), sealedFile)
	if err == nil {
		err = json.Unmarshal(plain, &members)
	}
	password, passwordErr := s.box.Open(consentData(subject), sealedPassword)
	if err := errors.Join(err, passwordErr); err != nil {
		s.log.ErrorContext(ctx, "a forwarded file cannot be parsed", "file", file, "error", err)
		return nil, nil
	}
	f.URL, f.Password, f.PasswordAt = members.URL, secret.Text(password), instant(passwordMS)
	return f, nil
}

// refuseForwarded notes that a file, of a job that failed, was not parsed, and returns its
// address, "" if it is gone. If its password was refused, the file is due again with the
// next one, which may have come meanwhile.
func refuseForwarded(ctx context.Context, tx *sql.Tx, subject, file string, f ingest.Failure) (address string, err error) {
	parse := ""
	if !f.Refused.IsZero() {
		n, err := changeRows(ctx, tx, `UPDATE mail_consents SET refused_ms = $1 WHERE subject = $2 AND password_ms = $3`,
			millis(f.At), subject, millis(f.Refused))
		if err != nil {
			return "", fmt.Errorf("note a refused password: %w", err)
		}
		if parse = "due"; n > 0 {
			parse = "refused"
		}
	}
	err = tx.QueryRowContext(ctx, `UPDATE mail_files SET parse = CASE WHEN EXISTS (SELECT 1 FROM mail_consents WHERE subject = $1)
		THEN $2 ELSE '' END WHERE id = $3 RETURNING address`, subject, parse, file).Scan(&address)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return address, err
}

// consentData returns the associated data of the password of a consent.
func consentData(subject string) string { return "mail_consents/" + subject }
