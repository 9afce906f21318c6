package store

import (
	"context"
	"strings"
)

// UsersQuery is the query of FindUsers, for tests that look at its plan.
var UsersQuery = usersQuery

// InsertColumns returns the columns of the tables that INSERT statements are derived for.
func InsertColumns() map[string][]string {
	columns := map[string][]string{"audit": strings.FieldsFunc(entryColumns, func(r rune) bool { return strings.ContainsRune(", \n\t", r) })}
	for _, t := range portfolioTables {
		columns[t.name] = t.columns
	}
	return columns
}

// MigrateDown runs the Down parts of the migrations after version.
func (s *DB) MigrateDown(ctx context.Context, version int64) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	_, err = provider.DownTo(ctx, version)
	return err
}

// LatestVersionQuery is the query of LatestVersion.
const LatestVersionQuery = latestVersion
