package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/go-json-experiment/json"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/statement"
)

const portfolioColumns = `id, subject, provenance, cas_type, period_from, period_to, private,
	total_value, received_rows, stored_rows, transactions, findings, saved_ms, owner, active, observed_ms, differs,
	accounts, account_details, of_other`

// scanPortfolio scans portfolioColumns, and what follows into more, and decrypts the private
// fields.
func (s *DB) scanPortfolio(ctx context.Context, row interface{ Scan(dest ...any) error }, more ...any) (portfolio.Portfolio, error) {
	var p portfolio.Portfolio
	var period statement.Period
	var sealed, links, details []byte
	var encoded string
	var savedMS, observedMS int64
	var active, differs, ofOther int
	columns := []any{
		&p.ID, &p.Subject, &p.Provenance, &p.CASType, &period.From, &period.To, &sealed,
		&p.TotalValue, &p.ReceivedRows, &p.StoredRows, &p.TransactionCount, &encoded, &savedMS, &p.Owner, &active, &observedMS, &differs,
		&links, &details, &ofOther,
	}
	err := row.Scan(append(columns, more...)...)
	if err != nil {
		return p, err
	}
	p.SavedAt, p.Active, p.ObservedAt = instant(savedMS), active == 1, optionalInstant(observedMS)
	if period.To != "" {
		p.Period = &period
	}
	var f findings
	if err := json.Unmarshal([]byte(encoded), &f); err != nil {
		return p, fmt.Errorf("decode findings of %s: %w", p.ID, err)
	}
	p.Counts = f.Counts
	err = s.openPrivate(ctx, &p, sealed)
	p.Differs = differs == 1
	if !p.Differs { // it may be verified since
		p.Differences = nil
	}
	if err == nil && links != nil {
		p.OfOther = ofOther == 1
		err = s.scanAccounts(&p, links, details)
	}
	return p, err
}

// openPrivate decrypts the private fields of p, or sets Unreadable. It logs a failure
// unless the key is missing, which operators see elsewhere.
func (s *DB) openPrivate(ctx context.Context, p *portfolio.Portfolio, sealed []byte) error {
	plain, err := s.box.Open(privateData(p.ID), sealed)
	if err != nil {
		p.Unreadable = true
		if !errors.Is(err, secret.ErrUnknownKey) {
			s.log.ErrorContext(ctx, "a portfolio cannot be decrypted with the key that it names", "portfolio", p.ID, "error", err)
		}
		return nil
	}
	var private private
	if err := json.Unmarshal(plain, &private); err != nil {
		return fmt.Errorf("decode portfolio %s: %w", p.ID, err)
	}
	p.Investor = statement.Investor{Name: private.Name, PANMasked: private.PANMasked}
	p.Rejected, p.Warnings, p.Differences = private.Rejected, private.Warnings, private.Differences
	if private.TotalValue.Valid {
		p.TotalValue = private.TotalValue.Decimal
	}
	p.Metadata, p.MetadataAdded = private.Metadata, private.MetadataAdded
	return nil
}

// Portfolios lists the portfolios of subject that match q, newest first.
func (s *DB) Portfolios(ctx context.Context, subject string, q portfolio.Query) ([]portfolio.Portfolio, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	ms := int64(math.MaxInt64)
	if q.After.ID != "" {
		ms = millis(q.After.SavedAt)
	}
	list, err := s.portfolios(ctx, subject, ms, q)
	return list, s.explain(ctx, "list portfolios", err)
}

// portfolios reads on until it has as many portfolios as q wants: owners and classes are packed
// values, which SQL does not know.
func (s *DB) portfolios(ctx context.Context, subject string, ms int64, q portfolio.Query) ([]portfolio.Portfolio, error) {
	most := q.Limit
	if q.Only != (portfolio.Only{}) {
		most = math.MaxInt32
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT `+portfolioColumns+` FROM portfolios
		WHERE subject = $1 AND (saved_ms, id) < ($2, $3) AND active >= $4
		ORDER BY saved_ms DESC, id DESC LIMIT $5`, subject, ms, q.After.ID, boolInt(q.ActiveOnly), most)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []portfolio.Portfolio
	for len(list) < q.Limit && rows.Next() {
		p, err := s.scanPortfolio(ctx, rows)
		if err != nil {
			return nil, err
		}
		if q.Only.Selects(&p) {
			list = append(list, p)
		}
	}
	return list, rows.Err()
}

// latest is the condition for the portfolio of the user, the owner of most of the subject's
// portfolios, whose period ends last; of several, one that does not differ from what the
// broker saw, and of those the one that was saved last.
const latest = `WHERE subject = $1 AND owner =
		(SELECT owner FROM portfolios WHERE subject = $1 GROUP BY owner ORDER BY COUNT(*) DESC, owner LIMIT 1)
	ORDER BY period_to DESC, differs, saved_ms DESC, id DESC LIMIT 1`

// Latest returns the subject's latest portfolio, as portfolio.Reader defines it, with all its
// holdings. It returns portfolio.ErrNotFound if there is none, and portfolio.ErrUnreadable if
// its rows cannot be decrypted.
func (s *DB) Latest(ctx context.Context, subject string) (portfolio.Portfolio, []statement.Holding, error) {
	return s.portfolioWithRows(ctx, 0, math.MaxInt, latest, subject)
}

// Portfolio returns a portfolio of subject and up to limit of its holdings, beginning
// with number first. It returns portfolio.ErrNotFound if the subject has no such portfolio,
// and portfolio.ErrUnreadable if its rows cannot be decrypted, unless limit is 0.
func (s *DB) Portfolio(ctx context.Context, subject, id string, first, limit int) (portfolio.Portfolio, []statement.Holding, error) {
	if limit > 0 {
		return s.portfolioWithRows(ctx, first, limit, `WHERE id = $1 AND subject = $2`, id, subject)
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	p, err := s.scanPortfolio(ctx, s.reader.QueryRowContext(ctx, `SELECT `+portfolioColumns+` FROM portfolios WHERE id = $1 AND subject = $2`, id, subject))
	if err != nil {
		return portfolio.Portfolio{}, nil, s.notFound(ctx, "read portfolio", err)
	}
	return p, nil, nil
}

// portfolioWithRows reads the portfolio that the condition selects, in one query.
func (s *DB) portfolioWithRows(ctx context.Context, first, limit int, where string, args ...any) (portfolio.Portfolio, []statement.Holding, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var sealed sealedRows
	var version rowVersion
	query := `SELECT ` + portfolioColumns + `, ` + versionColumns + `, ` + withHoldings + where //nolint:gosec // no values
	row := s.reader.QueryRowContext(ctx, query, args...)
	p, err := s.scanPortfolio(ctx, row, &version.changing, &version.private, &sealed.packed, &sealed.payload)
	if err != nil {
		return portfolio.Portfolio{}, nil, s.notFound(ctx, "read portfolio", err)
	}
	p.Version = version.String()
	rows, err := s.openRows(p.ID, sealed, p.SavedAt)
	if err != nil {
		return portfolio.Portfolio{}, nil, s.explain(ctx, "read holdings", err)
	}
	return p, page(rows.Holdings, first, limit), nil
}

// Payload returns the statement of a portfolio as it was received, byte for byte. It
// returns portfolio.ErrNotFound if the subject has no such portfolio, and
// portfolio.ErrUnreadable if it cannot be decrypted.
func (s *DB) Payload(ctx context.Context, subject, id string) ([]byte, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var sealed []byte
	err := s.reader.QueryRowContext(ctx, `SELECT sealed FROM payloads JOIN portfolios ON id = portfolio
		WHERE id = $1 AND subject = $2`, id, subject).Scan(&sealed)
	if err != nil {
		return nil, s.notFound(ctx, "read payload", err)
	}
	return s.openCompressed(payloadData(id), sealed)
}

// PortfolioMetadata describes up to limit portfolios of subject, newest first, and counts
// all of them. It reads nothing that is sealed.
func (s *DB) PortfolioMetadata(ctx context.Context, subject string, limit int) (list []portfolio.Metadata, all int, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err = s.portfolioMetadata(ctx, subject, limit)
	if err == nil {
		err = s.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM portfolios WHERE subject = $1`, subject).Scan(&all)
	}
	return list, all, s.explain(ctx, "describe portfolios", err)
}

func (s *DB) portfolioMetadata(ctx context.Context, subject string, limit int) ([]portfolio.Metadata, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT id, saved_ms, provenance, cas_type, period_from, period_to, owner, active,
		stored_rows, received_rows - stored_rows, transactions
		FROM portfolios WHERE subject = $1 ORDER BY saved_ms DESC, id DESC LIMIT $2`, subject, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []portfolio.Metadata
	for rows.Next() {
		var a portfolio.Metadata
		var savedMS int64
		var active int
		err := rows.Scan(&a.ID, &savedMS, &a.Provenance, &a.CASType, &a.Period.From, &a.Period.To, &a.Owner, &active,
			&a.Holdings, &a.Rejected, &a.Transactions)
		if err != nil {
			return nil, err
		}
		a.SavedAt, a.Active = instant(savedMS), active == 1
		list = append(list, a)
	}
	return list, rows.Err()
}

// notFound is explain, but maps sql.ErrNoRows to portfolio.ErrNotFound.
func (s *DB) notFound(ctx context.Context, action string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return portfolio.ErrNotFound
	}
	return s.explain(ctx, action, err)
}
