package services_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"casbroker/internal/testkit/services"
)

func TestMain(m *testing.M) {
	if code, ran := services.RunInNamespace(); ran {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestSmallDiskIsFullAndFreedAgain(t *testing.T) {
	folder := services.SmallDisk(t, "1m")
	write := func() error { return os.WriteFile(filepath.Join(folder, "file"), make([]byte, 64<<10), 0o600) }
	free := services.FillDisk(t, folder)
	if err := write(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write to a full disk: got %v, want ENOSPC", err)
	}
	free()
	if err := write(); err != nil {
		t.Errorf("a write once there is room: %v", err)
	}
}

// TestProgramsAreInstalled reports which programs are missing, so that their tests are
// skipped. With CI=true it fails instead.
func TestProgramsAreInstalled(t *testing.T) {
	for _, p := range services.Programs() {
		switch {
		case p.Path != "":
			t.Logf("%s: %s", p.Name, p.Path)
		case os.Getenv("CI") == "true":
			t.Errorf("%s is not installed, and with CI=true nothing is skipped", p.Name)
		default:
			t.Logf("!!! %s is NOT INSTALLED: the tests that need it are SKIPPED !!!", p.Name)
		}
	}
}

func TestStoppedRedisCanBeStartedAgain(t *testing.T) {
	r := services.OwnRedis(t)
	r.Stop()
	r.Start(t)
}

func TestEachTestGetsItsOwnDatabase(t *testing.T) {
	if a, b := services.Postgres(t), services.Postgres(t); a == b {
		t.Fatalf("both tests got %s", a)
	}
}

func TestCopiesHaveTheTablesOfTheFirstButNotTheRowsOfEachOther(t *testing.T) {
	filled := 0
	fill := func(url string) error {
		filled++
		return exec(t, url, "CREATE TABLE numbers (n INT PRIMARY KEY)")
	}
	for range 2 {
		if err := exec(t, services.CopyOfPostgres(t, fill), "INSERT INTO numbers VALUES (1)"); err != nil {
			t.Error(err)
		}
	}
	if filled != 1 && os.Getenv("TEST_POSTGRES_URL") == "" {
		t.Errorf("filled %d databases, want 1", filled)
	}
}

func exec(t *testing.T, url, statement string) error {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), statement)
	return err
}
