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

// ClaimKey claims an Idempotency-Key that nobody holds. It returns the answer when
// the request was completed before, portfolio.ErrKeyReused when that had another
// body, portfolio.ErrKeyInFlight while another request holds the key, to be tried
// again when its lease ends, portfolio.ErrKeyOfDeleted when the answer was deleted
// with its portfolio, and portfolio.ErrUnreadable when the answer does not open.
func (s *DB) ClaimKey(ctx context.Context, c portfolio.Claim) (*portfolio.Answer, error) {
	var a *portfolio.Answer
	err := s.change(ctx, "claim idempotency key", func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO idempotency (scope, body, holder, until_ms, expires_ms)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (scope) DO UPDATE SET body = excluded.body, holder = excluded.holder, until_ms = excluded.until_ms,
				expires_ms = excluded.expires_ms, created = NULL, portfolio = NULL, answer = NULL
			WHERE idempotency.expires_ms <= $6 OR (idempotency.created IS NULL AND idempotency.until_ms <= $6)`,
			s.keyScope(c), s.keyBody(c), c.Holder, millis(c.Until), millis(c.Expires), millis(c.At))
		if err != nil {
			return fmt.Errorf("insert claim: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		a, err = s.earlier(ctx, tx, c)
		return err
	})
	return a, err
}

// earlier reads what became of the request that holds or held c's key.
func (s *DB) earlier(ctx context.Context, tx *sql.Tx, c portfolio.Claim) (*portfolio.Answer, error) {
	var body, hidden []byte
	var untilMS int64
	var created sql.NullInt64
	var id sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT body, until_ms, created, portfolio, answer FROM idempotency WHERE scope = $1`,
		s.keyScope(c)).Scan(&body, &untilMS, &created, &id, &hidden)
	switch {
	case errors.Is(err, sql.ErrNoRows): // released at this moment
		return nil, portfolio.ErrKeyInFlight
	case err != nil:
		return nil, fmt.Errorf("read claim: %w", err)
	case subtle.ConstantTimeCompare(body, s.keyBody(c)) == 0:
		return nil, portfolio.ErrKeyReused
	case !created.Valid:
		return nil, portfolio.ErrKeyInFlight.After(max(instant(untilMS).Sub(c.At), time.Second))
	case hidden == nil:
		return nil, portfolio.ErrKeyOfDeleted
	}
	plain, err := s.box.Open(s.keyPlace(c), hidden)
	if err != nil {
		return nil, portfolio.ErrUnreadable.Because(fmt.Errorf("open the answer kept for an idempotency key: %w", err))
	}
	return &portfolio.Answer{PortfolioID: id.String, Created: created.Int64 == 1, Body: plain, Replayed: true}, nil
}

// completeKey keeps a as the answer to all requests like c, which is nil when the
// caller sent no key.
func (s *DB) completeKey(ctx context.Context, tx *sql.Tx, c *portfolio.Claim, a portfolio.Answer) error {
	if c == nil {
		return nil
	}
	result, err := tx.ExecContext(ctx, `UPDATE idempotency SET created = $1, portfolio = $2, answer = $3
		WHERE scope = $4 AND holder = $5 AND created IS NULL`,
		flag(a.Created), a.PortfolioID, s.box.Seal(s.keyPlace(*c), a.Body), s.keyScope(*c), c.Holder)
	if err != nil {
		return fmt.Errorf("complete claim: %w", err)
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return portfolio.ErrKeyInFlight // the lease ended, and another request took it
	}
	return err
}

// ReleaseKey ends a claim that was not completed.
func (s *DB) ReleaseKey(ctx context.Context, c portfolio.Claim) error {
	return s.change(ctx, "release idempotency key", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE scope = $1 AND holder = $2 AND created IS NULL`,
			s.keyScope(c), c.Holder)
		return err
	})
}

// PurgeKeys forgets all Idempotency-Keys that have expired, and says how many.
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

// keyScope stands for a key of one user at one route.
func (s *DB) keyScope(c portfolio.Claim) []byte {
	return s.box.Digest("idempotency key", fmt.Appendf(nil, "%q %q %q", c.Subject, c.Route, c.Key))
}

func (s *DB) keyBody(c portfolio.Claim) []byte { return s.box.Digest("idempotency body", c.Body[:]) }

func (s *DB) keyPlace(c portfolio.Claim) string { return scopePlace(s.keyScope(c)) }

func scopePlace(scope []byte) string { return "idempotency/" + hex.EncodeToString(scope) }
