package store

import "context"

// versionColumns are those of a rowVersion. The other columns never change, or only together with
// the private fields, or no answer about one portfolio shows them.
const versionColumns = `id || ' ' || provenance || ' ' || owner || ' ' || active || ' ' || differs || ' ' || of_other, substr(private, 1, 45)`

// rowVersion is different after each change of what is stored of a portfolio.
type rowVersion struct {
	changing string // what is changed in place
	private  []byte // the sealed private fields up to their nonce or further; each seal has another nonce
}

func (v *rowVersion) String() string { return v.changing + " " + string(v.private) }

const latestVersion = `SELECT ` + versionColumns + ` FROM portfolios ` + latest

// LatestVersion returns the Version of the portfolio that Latest returns now, or
// portfolio.ErrNotFound.
func (s *DB) LatestVersion(ctx context.Context, subject string) (string, error) {
	return s.readVersion(ctx, latestVersion, subject)
}

// PortfolioVersion returns the Version of the portfolio that Portfolio returns now, or
// portfolio.ErrNotFound.
func (s *DB) PortfolioVersion(ctx context.Context, subject, id string) (string, error) {
	return s.readVersion(ctx, `SELECT `+versionColumns+` FROM portfolios WHERE id = $1 AND subject = $2`, id, subject)
}

func (s *DB) readVersion(ctx context.Context, query string, args ...any) (string, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var version rowVersion
	if err := s.reader.QueryRowContext(ctx, query, args...).Scan(&version.changing, &version.private); err != nil {
		return "", s.notFound(ctx, "read the version of a portfolio", err)
	}
	return version.String(), nil
}
