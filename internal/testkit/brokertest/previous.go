package brokertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/testkit/services"
)

// migrations is the folder with the migrations of PostgreSQL, from the top of the repository.
const migrations = "internal/store/migrations/postgres"

// errNoHistory is returned for a folder that is not a git repository, or whose history is not
// complete.
var errNoHistory = errors.New("there is no git history from before the last migration (git clone without --depth has it)")

// Previous returns the path of a broker of the last commit whose database schema is older than
// that of New: the one before the newest migration was added. It takes 20 s of processor time to
// build, once for each migration. Without git's history, which an archive of the source lacks, the
// test is skipped.
func Previous(t testing.TB) string {
	t.Helper()
	path, err := previous()
	switch {
	case errors.Is(err, errNoHistory):
		t.Skipf("!!! SKIPPED: %v !!!", err)
	case err != nil:
		t.Fatal(err)
	}
	return path
}

var previous = sync.OnceValues(func() (string, error) {
	commit, err := beforeLastMigration()
	if err != nil {
		return "", err
	}
	folder, err := services.Cached("broker", []string{commit, runtime.Version(), runtime.GOARCH}, func(folder string) error {
		return buildCommit(commit, filepath.Join(folder, "broker"))
	})
	return filepath.Join(folder, "broker"), err
})

// beforeLastMigration returns the commit before the one that added the newest migration: the last
// one if that is not committed yet.
func beforeLastMigration() (string, error) {
	top, err := git("", "rev-parse", "--show-toplevel")
	if err != nil {
		return "", errNoHistory
	}
	files, err := filepath.Glob(filepath.Join(top, migrations, "*.sql"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("find migrations: %w, %d files", err, len(files))
	}
	added, err := git(top, "log", "-1", "--diff-filter=A", "--format=%H^", "--", slices.Max(files))
	if err != nil {
		return "", err
	}
	if added == "" {
		added = "HEAD"
	}
	commit, err := git(top, "rev-parse", "--verify", added)
	if err != nil {
		return "", errNoHistory
	}
	return commit, nil
}

// buildCommit builds the broker of a commit.
func buildCommit(commit, path string) error {
	source, err := os.MkdirTemp("", "casbroker-previous-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(source) }()
	top, err := git("", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	files := filepath.Join(source, "files.tar")
	if _, err := git(top, "archive", "-o", files, commit); err != nil {
		return err
	}
	if out, err := exec.CommandContext(context.Background(), "tar", "-x", "-f", files, "-C", source).CombinedOutput(); err != nil { //nolint:gosec // our own folder
		return fmt.Errorf("unpack %s: %w: %s", commit, err, out)
	}
	cmd := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-pgo=off", "-o", path, "./cmd/broker") //nolint:gosec // our own program
	cmd.Dir, cmd.Env = source, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the broker of %s: %w: %s", commit, err, out)
	}
	return nil
}

// git runs a command of git in folder, also in a repository of another user.
func git(folder string, args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), "git", append([]string{"-c", "safe.directory=*"}, args...)...) //nolint:gosec // fixed commands
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
