package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/gateway"
	"casbroker/internal/id"
	"casbroker/internal/webhook"
)

const (
	// maxMailFiles is how many files of one address are stored. Callbacks are not signed.
	maxMailFiles = 200
	// expireMailFiles is how many files one transaction deletes.
	expireMailFiles = 500
)

// mailAddressColumns are what scanMailAddress reads.
const mailAddressColumns = `SELECT id, subject, secret IS NOT NULL, asked_ms, mail_cursor, key_name FROM vendor_resources`

// MailAddress returns the forwarding address with id, the zero MailAddress if it is not
// known.
func (s *DB) MailAddress(ctx context.Context, id string) (gateway.MailAddress, error) {
	return s.mailAddress(ctx, mailAddressColumns+` WHERE kind = $1 AND id = $2`, string(gateway.Address), id)
}

// CallbackAddress returns the forwarding address that was claimed with the secret, the zero
// MailAddress if there is none.
func (s *DB) CallbackAddress(ctx context.Context, secret string) (gateway.MailAddress, error) {
	return s.mailAddress(ctx, mailAddressColumns+` WHERE secret = $1`, s.callbackHash(secret))
}

func (s *DB) mailAddress(ctx context.Context, query string, args ...any) (gateway.MailAddress, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var a gateway.MailAddress
	var askedMS int64
	err := s.reader.QueryRowContext(ctx, query, args...).Scan(&a.ID, &a.Subject, &a.Callback, &askedMS, &a.Cursor, &a.KeyName)
	if errors.Is(err, sql.ErrNoRows) {
		return gateway.MailAddress{}, nil
	}
	a.AskedAt = optionalInstant(askedMS)
	return a, s.explain(ctx, "read a forwarding address", err)
}

// ClaimAsk sets when the vendor was asked about an address to now, if that was at until or
// before, or is later than farthest, because a clock was wrong. Of concurrent callers one
// gets true.
func (s *DB) ClaimAsk(ctx context.Context, id string, now, until, farthest time.Time) (claimed bool, err error) {
	err = s.change(ctx, "claim the next poll of an address", func(ctx context.Context, tx *sql.Tx) error {
		n, err := changeRows(ctx, tx, `UPDATE vendor_resources SET asked_ms = $1
			WHERE kind = $2 AND id = $3 AND (asked_ms <= $4 OR asked_ms > $5)`,
			millis(now), string(gateway.Address), id, millis(until), millis(farthest))
		claimed = n == 1
		return err
	})
	return claimed && err == nil, err
}

// sealedFile is a row of mail_files.
type sealedFile struct {
	id            string
	message, file []byte
	received      int64 // microseconds
	expiresMS     int64
	sealed        []byte
}

// AddFiles stores those files of an address that are not known yet, and the vendor's cursor
// unless it is "", all or nothing. Each file gets a time after that of all files before, so
// a page's cursor misses none.
func (s *DB) AddFiles(ctx context.Context, address string, files []gateway.MailFile, cursor string) (gateway.Arrival, error) {
	list, err := s.sealFiles(files)
	if err != nil {
		return gateway.Arrival{}, err
	}
	var arrived gateway.Arrival
	err = s.change(ctx, "store files of an address", func(ctx context.Context, tx *sql.Tx) error {
		arrived = gateway.Arrival{Address: address}
		// This also locks the address: its files are stored one after the other.
		err := tx.QueryRowContext(ctx, `UPDATE vendor_resources SET mail_cursor = CASE WHEN $3 = '' THEN mail_cursor ELSE $3 END
			WHERE kind = $1 AND id = $2 RETURNING subject`, string(gateway.Address), address, cursor).Scan(&arrived.Subject)
		if errors.Is(err, sql.ErrNoRows) {
			return gateway.ErrNoAddress
		}
		if err != nil {
			return fmt.Errorf("lock the address: %w", err)
		}
		var last int64
		var stored int
		err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(received_us), 0), COUNT(*) FROM mail_files WHERE kind = $1 AND address = $2`,
			string(gateway.Address), address).Scan(&last, &stored)
		if err != nil {
			return fmt.Errorf("read the last file: %w", err)
		}
		for _, f := range list {
			f.received = max(f.received, last+1)
			added, err := addFile(ctx, tx, address, f, &arrived)
			if err != nil {
				return err
			}
			if added {
				last = f.received
			}
		}
		if stored+arrived.Files > maxMailFiles {
			return gateway.ErrManyFiles
		}
		if arrived.Files == 0 {
			return nil
		}
		return s.emit(ctx, tx, webhook.New(webhook.MailArrived, arrived.Subject, time.UnixMicro(last), webhook.Object{Address: address}))
	})
	if err != nil {
		return gateway.Arrival{}, err
	}
	return arrived, nil
}

// addFile inserts f, unless it is known, and counts it in arrived.
func addFile(ctx context.Context, tx *sql.Tx, address string, f sealedFile, arrived *gateway.Arrival) (bool, error) {
	var ofMessage, same int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(CASE WHEN file = $4 THEN 1 END) FROM mail_files
		WHERE kind = $1 AND address = $2 AND message = $3`, string(gateway.Address), address, f.message, f.file).Scan(&ofMessage, &same)
	if err != nil {
		return false, fmt.Errorf("look for a file: %w", err)
	}
	if same > 0 {
		return false, nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO mail_files (id, kind, address, message, file, received_us, expires_ms, sealed, parse)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN EXISTS (SELECT 1 FROM mail_consents WHERE subject = $9) THEN 'due' ELSE '' END)`,
		f.id, string(gateway.Address), address, f.message, f.file, f.received, f.expiresMS, f.sealed, arrived.Subject)
	if err != nil {
		return false, fmt.Errorf("insert a file: %w", err)
	}
	arrived.Files++
	if ofMessage == 0 {
		arrived.Messages++
	}
	return true, nil
}

func (s *DB) sealFiles(files []gateway.MailFile) ([]sealedFile, error) {
	list := make([]sealedFile, len(files))
	for i, f := range files {
		plain, err := json.Marshal(f.Members, json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("encode a file: %w", err)
		}
		row := sealedFile{id: id.New("mf"), received: f.ReceivedAt.UnixMicro(), expiresMS: millis(f.ExpiresAt)}
		row.message = s.box.Digest("mail message", []byte(f.MessageID))
		row.file = s.box.Digest("mail file", []byte(f.MessageID+"\x00"+f.Name))
		row.sealed = s.box.Seal(mailFileData(row.id), plain)
		list[i] = row
	}
	return list, nil
}

// MailFiles returns up to limit files of an address that were received after since and have
// not expired at now, the oldest first. It logs those that cannot be decrypted.
func (s *DB) MailFiles(ctx context.Context, address string, since, now time.Time, limit int) ([]gateway.MailFile, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.mailFiles(ctx, address, since, now, limit)
	return list, s.explain(ctx, "read files of an address", err)
}

func (s *DB) mailFiles(ctx context.Context, address string, since, now time.Time, limit int) ([]gateway.MailFile, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT id, received_us, expires_ms, sealed FROM mail_files
		WHERE kind = $1 AND address = $2 AND received_us > $3 AND expires_ms > $4 ORDER BY received_us LIMIT $5`,
		string(gateway.Address), address, since.UnixMicro(), millis(now), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []gateway.MailFile
	for rows.Next() {
		var row sealedFile
		if err := rows.Scan(&row.id, &row.received, &row.expiresMS, &row.sealed); err != nil {
			return nil, err
		}
		list = append(list, s.openFile(ctx, row))
	}
	return list, rows.Err()
}

// openFile returns the file in row, without members if it cannot be decrypted.
func (s *DB) openFile(ctx context.Context, row sealedFile) gateway.MailFile {
	f := gateway.MailFile{ReceivedAt: time.UnixMicro(row.received).UTC(), ExpiresAt: instant(row.expiresMS)}
	plain, err := s.box.Open(mailFileData(row.id), row.sealed)
	if err == nil {
		err = json.Unmarshal(plain, &f.Members)
	}
	if err != nil {
		s.log.ErrorContext(ctx, "a file of a forwarding address cannot be read", "file", row.id, "error", err)
		f.Members = nil
	}
	return f
}

// DropExpiredFiles deletes the files whose URL has expired at now. It works in small
// transactions.
func (s *DB) DropExpiredFiles(ctx context.Context, now time.Time) error {
	dropped := false
	for {
		n := 0
		err := s.change(ctx, "delete expired files", func(ctx context.Context, tx *sql.Tx) (err error) {
			n, err = changeRows(ctx, tx, `DELETE FROM mail_files WHERE id IN
				(SELECT id FROM mail_files WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2`+s.dialect.skipLocked+`)`, millis(now), expireMailFiles)
			return err
		})
		if dropped = dropped || n > 0; err != nil || n < expireMailFiles {
			if dropped {
				s.truncate(ctx)
			}
			return err
		}
	}
}

func (s *DB) callbackHash(secret string) []byte {
	return s.box.Digest("callback secret", []byte(secret))
}

// mailFileData returns the associated data of a file.
func mailFileData(id string) string { return "mail_files/" + id }
