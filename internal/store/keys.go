package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"casbroker/internal/secret"
)

// recentRows is how many portfolios are looked at for a key that has no proof.
const recentRows = 200

// errWrongKey is ErrUnavailable when the database answers. It takes an operator to
// mend that.
var errWrongKey = ErrUnavailable.Withf("The broker's sealing key is not the one that its database was sealed under; " +
	"nothing was changed. Its operator has to put the right one back.").After(5 * time.Minute)

// WrongKeyError says that the key that is to seal is not the one that sealed under
// its id before.
type WrongKeyError struct {
	ID string // of the key
}

// Error says what to do.
func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("the key %q is not the one that sealed under this id before; "+
		"put that one back, or give this one an id that was never used", e.ID)
}

// checkKeys finds out whether the keys are those that sealed under their ids before.
// Of the first, which is to seal, it leaves a proof when there is none; it fails with
// errWrongKey when that is another. Any other that is wrong is dropped.
func (s *DB) checkKeys(ctx context.Context) error {
	proofs, err := s.keyProofs(ctx)
	if err != nil {
		return fmt.Errorf("read the proofs: %w", err)
	}
	for i, id := range s.box.IDs() {
		right, err := s.keyFits(ctx, id, proofs[id])
		switch {
		case err != nil:
			return fmt.Errorf("try a key: %w", err)
		case right && i == 0 && proofs[id] == nil:
			if right, err = s.leaveProof(ctx, id); err != nil {
				return err
			}
		}
		switch {
		case right:
		case i == 0:
			return errWrongKey.Because(&WrongKeyError{ID: id})
		case s.box.Disable(id):
			s.log.ErrorContext(ctx, "a sealing key is not the one that sealed under this id before and is not used; "+
				"what was sealed is unreadable until the right one is back", "key_id", id)
		}
	}
	return nil
}

// keyProofs reads the proofs that there are, by the ids of the keys.
func (s *DB) keyProofs(ctx context.Context) (map[string][]byte, error) {
	ctx, cancel := bounded(ctx)
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

// keyFits reports whether the key id opens its proof. Without one, as in a database
// that was filled before there were any, it must open something of what bears its id
// among what was saved last.
func (s *DB) keyFits(ctx context.Context, id string, proof []byte) (bool, error) {
	if proof != nil {
		return s.opensProof(id, proof), nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	rows, err := s.reader.QueryContext(ctx, `SELECT id, private FROM portfolios ORDER BY id DESC LIMIT $1`, recentRows)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	fits := true
	for rows.Next() {
		var portfolioID string
		var hidden []byte
		if err := rows.Scan(&portfolioID, &hidden); err != nil {
			return false, err
		}
		if under, _ := secret.KeyID(hidden); under != id {
			continue
		}
		if _, err := s.box.Open(privatePlace(portfolioID), hidden); err == nil {
			return true, nil
		}
		fits = false
	}
	return fits, rows.Err()
}

// leaveProof keeps a proof of the first key, whose id is id. Of several who do so at
// the same time one is first, and for the others it reports whether theirs is the
// same key.
func (s *DB) leaveProof(ctx context.Context, id string) (same bool, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	err = s.transact(ctx, "leave a proof", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO seal_keys (id, proof) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`,
			id, s.box.Seal(proofPlace(id), nil))
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		var proof []byte
		if err := tx.QueryRowContext(ctx, `SELECT proof FROM seal_keys WHERE id = $1`, id).Scan(&proof); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		same = s.opensProof(id, proof)
		return nil
	})
	return same, err
}

func (s *DB) opensProof(id string, proof []byte) bool {
	_, err := s.box.Open(proofPlace(id), proof)
	return err == nil
}

func proofPlace(id string) string { return "seal_keys/" + id }
