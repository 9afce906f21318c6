package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/portfolio"
)

// capturedKey is the condition of the capture that has the key of a row of idempotency: one of the request
// that holds it, and not of one that was replaced.
const capturedKey = `key_scope = idempotency.scope AND key_holder = idempotency.holder`

// ClaimKey claims an Idempotency-Key. It returns nil if the claim holds, and the stored
// answer if the request was completed before. A claim that is streamed gets
// portfolio.ErrKeyAnswered then. It returns portfolio.ErrKeyReused if the
// completed request had another body, portfolio.ErrKeyInFlight, with the rest of the
// lease as retry delay, while another request holds the key, a *portfolio.EndedLease if that
// lease has ended and c does not replace it, portfolio.ErrSavePending while a capture has the key,
// portfolio.ErrKeyOfDeleted if the answer was
// deleted with its portfolio, and portfolio.ErrUnreadable if the answer cannot be decrypted.
func (s *DB) ClaimKey(ctx context.Context, c portfolio.Claim) (*portfolio.SaveResult, error) {
	var replaces portfolio.EndedLease
	if c.Replaces != nil {
		replaces = *c.Replaces
	}
	var a *portfolio.SaveResult
	err := s.change(ctx, "claim idempotency key", func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO idempotency (scope, body, holder, until_ms, expires_ms)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (scope) DO UPDATE SET body = excluded.body, holder = excluded.holder, until_ms = excluded.until_ms,
				expires_ms = excluded.expires_ms, created = NULL, portfolio = NULL, answer = NULL
			WHERE idempotency.expires_ms <= $6 OR (idempotency.created IS NULL AND idempotency.until_ms <= $6
				AND idempotency.holder = $7 AND idempotency.until_ms = $8
				AND NOT EXISTS (SELECT 1 FROM captures WHERE `+capturedKey+`))`,
			s.keyScope(c), s.keyBody(c), c.Holder, millis(c.Until), millis(c.Expires), millis(c.At), replaces.Holder, millis(replaces.Until))
		if err != nil {
			return fmt.Errorf("insert claim: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		a, err = s.earlierAnswer(ctx, tx, c)
		return err
	})
	return a, err
}

// earlierAnswer reads the answer to the request that holds or held c's key.
func (s *DB) earlierAnswer(ctx context.Context, tx *sql.Tx, c portfolio.Claim) (*portfolio.SaveResult, error) {
	var body, sealed []byte
	var untilMS int64
	var holder string
	var created sql.NullInt64
	var id sql.NullString
	var captured bool
	err := tx.QueryRowContext(ctx, `SELECT body, holder, until_ms, created, portfolio, answer,
		EXISTS (SELECT 1 FROM captures WHERE `+capturedKey+`) FROM idempotency WHERE scope = $1`,
		s.keyScope(c)).Scan(&body, &holder, &untilMS, &created, &id, &sealed, &captured)
	switch {
	case errors.Is(err, sql.ErrNoRows): // released since the INSERT
		return nil, portfolio.ErrKeyInFlight
	case err != nil:
		return nil, fmt.Errorf("read claim: %w", err)
	case !created.Valid && captured:
		return nil, portfolio.ErrSavePending
	case !created.Valid && untilMS <= millis(c.At):
		return nil, &portfolio.EndedLease{Holder: holder, Until: instant(untilMS)}
	case !created.Valid && (c.Streamed || len(body) == 0): // one of the bodies is not received yet
		return nil, portfolio.ErrKeyInFlight.After(max(instant(untilMS).Sub(c.At), time.Second))
	case c.Streamed:
		return nil, portfolio.ErrKeyAnswered
	case len(body) > 0 && subtle.ConstantTimeCompare(body, s.keyBody(c)) == 0: // it is unknown if the broker was killed, or the caller left
		return nil, portfolio.ErrKeyReused
	case !created.Valid:
		return nil, portfolio.ErrKeyInFlight.After(max(instant(untilMS).Sub(c.At), time.Second))
	case sealed == nil:
		return nil, portfolio.ErrKeyOfDeleted
	}
	plain, err := s.box.Open(s.answerData(c), sealed)
	if err != nil {
		return nil, portfolio.ErrUnreadable.Because(fmt.Errorf("decrypt the answer stored for an idempotency key: %w", err))
	}
	return &portfolio.SaveResult{PortfolioID: id.String, Created: created.Int64 == 1, Body: plain, Replayed: true}, nil
}

// completeKeysOf stores a as the answer to repetitions of the requests that captures answer. It
// leaves keys alone that other requests have got.
func (s *DB) completeKeysOf(ctx context.Context, tx *sql.Tx, captures []takenCapture, a portfolio.SaveResult) error {
	for _, c := range captures {
		if c.keyScope == nil {
			continue
		}
		_, err := tx.ExecContext(ctx, `UPDATE idempotency SET created = $1, portfolio = $2, answer = $3
			WHERE scope = $4 AND holder = $5 AND created IS NULL`,
			boolInt(a.Created), a.PortfolioID, s.box.Seal(scopeData(c.keyScope), a.Body), c.keyScope, c.keyHolder)
		if err != nil {
			return fmt.Errorf("complete the claim of a capture: %w", err)
		}
	}
	return nil
}

// completeKey stores a as the answer to repetitions of request c.
func (s *DB) completeKey(ctx context.Context, tx *sql.Tx, c *portfolio.Claim, a portfolio.SaveResult) error {
	result, err := tx.ExecContext(ctx, `UPDATE idempotency SET created = $1, portfolio = $2, answer = $3, body = $6
		WHERE scope = $4 AND holder = $5 AND created IS NULL`,
		boolInt(a.Created), a.PortfolioID, s.box.Seal(s.answerData(*c), a.Body), s.keyScope(*c), c.Holder, s.keyBody(*c))
	if err != nil {
		return fmt.Errorf("complete claim: %w", err)
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return portfolio.ErrKeyInFlight // the lease ended and another request claimed the key
	}
	return err
}

// ExtendKey moves the end of the lease of c, and sets the body if it was claimed without. It
// returns false if another request has claimed the key since. The end of a claim that was completed does not matter.
func (s *DB) ExtendKey(ctx context.Context, c portfolio.Claim, until time.Time) (held bool, err error) {
	err = s.change(ctx, "extend idempotency key", func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE idempotency SET until_ms = $1, body = CASE WHEN length(body) = 0 THEN $4 ELSE body END
			WHERE scope = $2 AND holder = $3`, millis(until), s.keyScope(c), c.Holder, s.keyBody(c))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		held = n == 1
		return err
	})
	return held, err
}

// ReleaseKey gives up a claim that was not completed.
func (s *DB) ReleaseKey(ctx context.Context, c portfolio.Claim) error {
	return s.change(ctx, "release idempotency key", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE scope = $1 AND holder = $2 AND created IS NULL`,
			s.keyScope(c), c.Holder)
		return err
	})
}

// PurgeKeys deletes the Idempotency-Keys that have expired and returns their number.
func (s *DB) PurgeKeys(ctx context.Context, now time.Time) (int64, error) {
	var n int64
	err := s.change(ctx, "purge idempotency keys", func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE expires_ms <= $1`, millis(now))
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return n, err
}

// keyScope returns the keyed hash of a key of one user on one route.
func (s *DB) keyScope(c portfolio.Claim) []byte {
	return s.box.Digest("idempotency key", fmt.Appendf(nil, "%q %q %q", c.Subject, c.Route, c.Key))
}

// keyBody returns the keyed hash of the body, empty while that is not known.
func (s *DB) keyBody(c portfolio.Claim) []byte {
	if c.Streamed {
		return []byte{}
	}
	return s.box.Digest("idempotency body", c.Body[:])
}

// answerData returns the associated data of a stored answer.
func (s *DB) answerData(c portfolio.Claim) string { return scopeData(s.keyScope(c)) }

func scopeData(scope []byte) string { return "idempotency/" + hex.EncodeToString(scope) }
