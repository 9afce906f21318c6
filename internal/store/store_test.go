package store_test

import (
	"path/filepath"
	"testing"

	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
)

// eachDialect runs test on a new, migrated database of every kind.
func eachDialect(t *testing.T, test func(t *testing.T, s *store.DB)) {
	t.Helper()
	for name, url := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, url(t))
			if _, err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, s)
		})
	}
}

// dialects has the URL of a new, empty database of every kind.
var dialects = map[string]func(t *testing.T) string{
	"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "new", "broker.db") },
	"postgres": func(t *testing.T) string { return services.Postgres(t) },
}

func open(t *testing.T, url string) *store.DB {
	t.Helper()
	s, err := store.Open(store.Options{URL: secret.URL(url), Box: newBox(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newBox(t *testing.T) *secret.Box {
	t.Helper()
	box, err := secret.NewBox(newKey(), secret.Key{ID: "k1", Secret: newKey()})
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func newKey() secret.Text {
	return secret.RandomKey()
}
