package store

import "context"

// UsersQuery is the query of FindUsers, for tests that look at how it is carried out.
var UsersQuery = usersQuery

// MigrateDown takes the database back to the form that it had at version.
func (s *DB) MigrateDown(ctx context.Context, version int64) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	_, err = provider.DownTo(ctx, version)
	return err
}
