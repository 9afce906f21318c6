//go:build unix

package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// neverEnded returns url with the parameter that keeps PostgreSQL from ending the transactions of a
// replica that is frozen, so that nothing else does what the replica should.
func neverEnded(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("idle_in_transaction_session_timeout", "1h")
	u.RawQuery = q.Encode()
	return u.String()
}

// busyURL names the environment variable with which TestBusyReplica is a replica of another process.
const busyURL = "CASBROKER_TEST_BUSY_REPLICA"

// sharedBox returns a box with keys that several processes know.
func sharedBox(t *testing.T) *secret.Box {
	t.Helper()
	key := secret.Text(strings.Repeat("k", secret.KeySize))
	box, err := secret.NewBox(key, secret.Key{ID: "k1", Secret: key})
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// keepBusy changes access, and records grants, until ctx ends.
func keepBusy(ctx context.Context, db *store.DB) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				subject := fmt.Sprintf("app:busy%d-%d", i, n)
				_, _ = alter(ctx, db, access.Change{Kind: access.RevokeUser, Subject: subject}, time.Now())
				version, _ := db.AccessVersion(ctx)
				_ = give(ctx, db, "gr_"+subject, subject, time.Now(), version)
			}
		})
	}
	all.Wait()
}

// TestBusyReplica is no test: it is the process that TestFrozenReplicaDoesNotStopOthers stops.
func TestBusyReplica(t *testing.T) {
	at := os.Getenv(busyURL)
	if at == "" {
		return
	}
	db := storetest.Open(t, at, sharedBox(t))
	_, _ = fmt.Fprintln(os.Stdout, "busy")
	keepBusy(t.Context(), db)
}

func TestFrozenReplicaDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	at := storetest.Postgres(t)
	other := storetest.Open(t, at, sharedBox(t))
	if err := other.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBusyReplica$") //nolint:gosec // this test
	cmd.Env = append(os.Environ(), busyURL+"="+neverEnded(t, at))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	signal := func(s syscall.Signal) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "busy\n" {
		t.Fatalf("the replica says %q, %v", line, err)
	}
	wantOthersToGoOn(t, at, other, func() { signal(syscall.SIGSTOP) }, func() { signal(syscall.SIGCONT) })
}

func TestReplicaThatIsCutOffDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	at := storetest.Postgres(t)
	other := storetest.Open(t, at, sharedBox(t))
	link, through := services.NewLink(t, at)
	replica := storetest.Open(t, neverEnded(t, through), sharedBox(t))
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Go(func() { keepBusy(ctx, replica) })
	defer busy.Wait()
	defer link.Restore()
	defer cancel()
	wantOthersToGoOn(t, at, other, link.Swallow, link.Restore)
}

// wantOthersToGoOn freezes a replica until that happens in a transaction, and expects that other
// changes access and records grants before that transaction ends.
func wantOthersToGoOn(t *testing.T, at string, other *store.DB, freeze, thaw func()) {
	t.Helper()
	direct := storetest.SQL(t, at)
	for freeze(); !inTransaction(t, direct); freeze() {
		thaw()
		if _, err := direct.ExecContext(t.Context(), `SELECT pg_sleep(0.005)`); err != nil { // the replica works meanwhile
			t.Fatal(err)
		}
	}
	defer thaw()
	for i := range 5 {
		subject := fmt.Sprint("app:other", i)
		o := mustAlter(t, other, access.Change{Kind: access.RevokeUser, Subject: subject}, time.Now())
		mustGive(t, other, "gr_"+subject, subject, time.Now(), o.Version)
	}
	if !inTransaction(t, direct) {
		t.Error("the transaction of the frozen replica has ended")
	}
}

// inTransaction reports whether a session waits for the next statement of its transaction, and
// has waited for long enough that this is not on its way.
func inTransaction(t *testing.T, direct *sql.DB) (found bool) {
	t.Helper()
	for range 2 {
		err := direct.QueryRowContext(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
			AND state = 'idle in transaction' AND application_name = 'casbroker') FROM pg_sleep(0.02)`).Scan(&found)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			return false
		}
	}
	return true
}
