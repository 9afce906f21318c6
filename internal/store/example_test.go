package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// Opening creates a SQLite file; Migrate makes it ready for use, and does nothing the
// next time.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "casbroker-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	box, err := secret.NewBox(secret.RandomKey(), secret.Key{ID: "k1", Secret: secret.RandomKey()})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := store.Open(store.Options{URL: secret.URL("sqlite:" + filepath.Join(folder, "broker.db")), Box: box})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()

	ctx := context.Background()
	fmt.Println(db.Ready(ctx))
	if _, err := db.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(db.Ready(ctx))
	again, err := db.Migrate(ctx)
	fmt.Println(again, err)
	// Output:
	// the database is not migrated; run broker migrate
	// <nil>
	// 0 <nil>
}
