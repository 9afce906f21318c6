package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"casbroker/internal/secret"
)

// recentRows is how many portfolios are tried with a key that has no proof.
const recentRows = 200

// errWrongKey is the ErrUnavailable of a database that answers but was sealed under
// another key. Only an operator can fix that; the cause, a WrongKeyError, says how.
var errWrongKey = ErrUnavailable.
	WithNotef("The first sealing key is not the one that encrypted the database; nothing was changed. Restore the right key.").
	After(5 * time.Minute)

// WrongKeyError is returned when the primary key differs from the key that sealed under
// the same id before.
type WrongKeyError struct {
	ID string // the id of the key
}

// Error tells the operator what to do.
func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("key %q differs from the key that had this id before; "+
		"restore that one, or give this one an id that was never used", e.ID)
}

// checkKeys compares the keys with the proofs of those that sealed under their ids
// before. If the first key, which seals, has no proof yet, it stores one; if that key is
// wrong, it returns errWrongKey. It disables any other key that is wrong.
func (s *DB) checkKeys(ctx context.Context) error {
	proofs, err := s.keyProofs(ctx)
	if err != nil {
		return fmt.Errorf("read proofs of keys: %w", err)
	}
	for i, id := range s.box.IDs() {
		right, err := s.keyFits(ctx, id, proofs[id])
		switch {
		case err != nil:
			return fmt.Errorf("check a key: %w", err)
		case right && i == 0 && proofs[id] == nil:
			if right, err = s.storeProof(ctx, id); err != nil {
				return err
			}
		}
		switch {
		case right:
		case i == 0:
			return errWrongKey.Because(&WrongKeyError{ID: id})
		case s.box.Disable(id):
			s.log.ErrorContext(ctx, "a sealing key differs from the key that had this id before and is disabled; "+
				"data that was sealed under it is unreadable until the right key is restored", "key_id", id)
		}
	}
	return nil
}

// keyProofs returns the stored proofs by key id.
func (s *DB) keyProofs(ctx context.Context) (map[string][]byte, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	rows, err := s.reader.QueryContext(ctx, `SELECT id, proof FROM seal_keys`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	proofs := map[string][]byte{}
	for rows.Next() {
		var id string
		var proof []byte
		if err := rows.Scan(&id, &proof); err != nil {
			return nil, err
		}
		proofs[id] = proof
	}
	return proofs, rows.Err()
}

// keyFits reports whether key id opens its proof. Without a proof, as in a database that
// is older than proofs, the key has to open one of the recent portfolios that were
// sealed under its id, if there are any.
func (s *DB) keyFits(ctx context.Context, id string, proof []byte) (bool, error) {
	if proof != nil {
		return s.opensProof(id, proof), nil
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	rows, err := s.reader.QueryContext(ctx, `SELECT id, private FROM portfolios ORDER BY id DESC LIMIT $1`, recentRows)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	fits := true
	for rows.Next() {
		var portfolioID string
		var sealed []byte
		if err := rows.Scan(&portfolioID, &sealed); err != nil {
			return false, err
		}
		if under, _ := secret.KeyID(sealed); under != id {
			continue
		}
		if _, err := s.box.Open(privateData(portfolioID), sealed); err == nil {
			return true, nil
		}
		fits = false
	}
	return fits, rows.Err()
}

// storeProof stores a proof of the first key, which has this id. Of concurrent callers
// one succeeds; for the others it reports whether their key is the same.
func (s *DB) storeProof(ctx context.Context, id string) (same bool, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.transact(ctx, "store a proof", durable, func(ctx context.Context, tx *sql.Tx) error {
		return leaseOf(ctx).finish(ctx, tx, lastStatement{ // others wait for its end
			query: `INSERT INTO seal_keys (id, proof) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`,
			args:  []any{id, s.box.Seal(proofData(id), nil)},
		})
	})
	if err != nil {
		return false, err
	}
	proofs, err := s.keyProofs(ctx)
	if err != nil {
		return false, fmt.Errorf("read the proof: %w", err)
	}
	return s.opensProof(id, proofs[id]), nil
}

func (s *DB) opensProof(id string, proof []byte) bool {
	_, err := s.box.Open(proofData(id), proof)
	return err == nil
}

// proofData returns the associated data of a proof.
func proofData(id string) string { return "seal_keys/" + id }
