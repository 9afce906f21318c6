package store_test

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestFullDiskOfPostgresIsNotReady(t *testing.T) {
	t.Parallel()
	address := storetest.Postgres(t)
	folder := smallDisk(t)
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
	fill := filepath.Join(folder, "fill")
	_ = exec.CommandContext(t.Context(), "dd", "if=/dev/zero", "of="+fill, "bs=4k").Run() //nolint:gosec // it fails when the disk is full
	db := storetest.Open(t, address, box)
	if err := db.Ready(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ready with a full disk: got %v, want ErrUnavailable", err)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready once there is room: %v", err)
	}
}

// smallDisk returns a folder with a file system of 64 MiB, which only root may mount.
func smallDisk(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "casbroker-disk-") // t.TempDir cannot be entered by the server
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=64m,mode=0777", "tmpfs", folder).CombinedOutput(); err != nil { //nolint:gosec // our own folder
		t.Skipf("no file system can be mounted here: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", folder).Run() }) //nolint:noctx,gosec // the context of the test has ended
	return folder
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
