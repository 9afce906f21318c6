package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

func TestFullDiskOfPostgresIsNotReady(t *testing.T) {
	t.Parallel()
	address := storetest.Postgres(t)
	folder := services.SmallDisk(t, "64m")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := u.Path[1:]
	u.Path = "/postgres"
	server := storetest.SQL(t, u.String())
	giveToServer(t, server, folder)
	for _, statement := range []string{
		`CREATE TABLESPACE ` + name + ` LOCATION '` + folder + `'`,
		`ALTER DATABASE ` + name + ` SET TABLESPACE ` + name,
	} {
		if _, err := server.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // before the file system is unmounted
		for _, statement := range []string{`DROP DATABASE IF EXISTS ` + name + ` WITH (FORCE)`, `DROP TABLESPACE ` + name} {
			if _, err := storetest.SQL(t, u.String()).Exec(statement); err != nil { //nolint:noctx // the context of the test has ended
				t.Error(err)
			}
		}
	})
	box := storetest.NewBox(t)
	if err := storetest.Open(t, address, box).Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	free := services.FillDisk(t, folder)
	db := storetest.Open(t, address, box)
	if err := db.Ready(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ready with a full disk: got %v, want ErrUnavailable", err)
	}
	free()
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready once there is room: %v", err)
	}
}

// TestFullDiskOfSQLiteIsNotReadyUntilLargeSavesFit has a disk on which, after a change has failed, small
// ones fit again.
func TestFullDiskOfSQLiteIsNotReadyUntilLargeSavesFit(t *testing.T) {
	t.Parallel()
	folder := services.SmallDisk(t, "40m")
	db := storetest.Open(t, "sqlite:"+filepath.Join(folder, "broker.db"), storetest.NewBox(t))
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	save := func(name string) error {
		_, err := db.SavePortfolio(t.Context(), saving(t, "demo:asha", named(name, "2026-03-31")))
		return err
	}
	free := services.FillDisk(t, folder)
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("before a change has failed: %v", err)
	}
	var err error
	for n := 0; err == nil && n < 1000; n++ { // the log may have room
		err = save(fmt.Sprint("Fund ", n))
	}
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("a save on a full disk: got %v, want ErrUnavailable", err)
	}
	if err := os.Truncate(filepath.Join(folder, "fill"), 24<<20); err != nil {
		t.Fatal(err)
	}
	if err := save("A small one"); err != nil {
		t.Fatalf("a small save: %v", err)
	}
	err = db.Ready(t.Context())
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "at least 16 MiB must be free") || !strings.Contains(store.Remedy(err), "free space") {
		t.Errorf("Ready with room for small changes: got %v, want ErrUnavailable with the remedy", err)
	}
	free()
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready once there is room: %v", err)
	}
}

// TestTimeoutOnASmallDiskOfSQLiteIsNotTakenForAFullOne has a disk with less space than one needs that was full.
func TestTimeoutOnASmallDiskOfSQLiteIsNotTakenForAFullOne(t *testing.T) {
	t.Parallel()
	at := "sqlite:" + filepath.Join(services.SmallDisk(t, "15m"), "broker.db")
	db := storetest.Open(t, at, storetest.NewBox(t))
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if err := blockUser(ctx, db, "app:1"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a change without time: got %v, want ErrUnavailable", err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready afterwards: %v", err)
	}
}

// giveToServer makes the user of the server the owner of folder.
func giveToServer(t *testing.T, server *sql.DB, folder string) {
	t.Helper()
	var data string
	if err := server.QueryRowContext(t.Context(), `SHOW data_directory`).Scan(&data); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "chown", "--reference="+data, folder).CombinedOutput(); err != nil { //nolint:gosec // as above
		t.Skipf("the server is on another machine: %s", out)
	}
}
