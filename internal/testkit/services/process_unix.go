//go:build unix

package services

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// kill ends the process at once, and returns once it has ended.
func (p *process) kill() {
	_ = syscall.Kill(p.id, syscall.SIGKILL)
	p.stop()
}

func (p *process) alive() bool { return syscall.Kill(p.id, 0) == nil }

func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.id, s); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the process at once, as the kernel does when memory runs out.
func (r *RedisProcess) Kill() { r.process.kill() }

// Freeze stops the process's threads until Thaw or the end of the test: it accepts connections
// and answers nothing.
func (r *RedisProcess) Freeze(t testing.TB) {
	t.Helper()
	r.process.signal(t, syscall.SIGSTOP)
	t.Cleanup(func() { _ = syscall.Kill(r.process.id, syscall.SIGCONT) })
}

// Thaw lets a frozen process go on.
func (r *RedisProcess) Thaw(t testing.TB) {
	t.Helper()
	r.process.signal(t, syscall.SIGCONT)
}

// PostgresProcess is a PostgreSQL of a single test, which may kill it.
type PostgresProcess struct {
	URL     string // of the database "postgres"
	Folder  string // contains all its files
	port    string
	command []string
	run     func() (*process, error)
	process *process // nil for none
}

// OwnPostgres starts a PostgreSQL for this test only, with further settings in the form
// name=value.
func OwnPostgres(t testing.TB, settings ...string) *PostgresProcess {
	t.Helper()
	bin := filepath.Dir(need(t, "postgresql"))
	folder, data, asOwner, err := newCluster(bin, "casbroker-own-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := spawn(nil, "TERM", folder, "true"); err != nil { // removes the folder if the test binary is killed
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	p := &PostgresProcess{URL: postgresURL(port), Folder: folder, port: port, command: postgresCommand(bin, data, port, settings...)}
	p.run = func() (*process, error) { return startProcess(asOwner, "INT", "", p.command...) }
	p.Start(t)
	t.Cleanup(func() {
		if p.process != nil {
			p.Kill()
		}
	})
	return p
}

// Start starts the server, or starts it again with what it had when it was killed.
func (p *PostgresProcess) Start(t testing.TB) {
	t.Helper()
	err := waitFor("postgres on port "+p.port, func(ctx context.Context) (err error) {
		if p.process == nil || !p.process.alive() { // it ends while processes of the killed one use its memory
			if p.process, err = p.run(); err != nil {
				return err
			}
		}
		return pingPostgres(ctx, p.URL)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server's main process at once. Its others end when they notice, soon.
func (p *PostgresProcess) Kill() {
	p.process.kill()
	p.process = nil
}
