package store_test

import (
	"testing"

	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// openUnmigrated opens the database at url.
func openUnmigrated(t *testing.T, url string, box *secret.Box) *store.DB {
	t.Helper()
	s, err := store.Open(store.Options{URL: secret.URL(url), Box: box})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// openTwice opens and migrates the database at url for two replicas.
func openTwice(t *testing.T, url string) [2]*store.DB {
	t.Helper()
	box := storetest.NewBox(t)
	return [2]*store.DB{storetest.Open(t, url, box), storetest.Open(t, url, box)}
}
