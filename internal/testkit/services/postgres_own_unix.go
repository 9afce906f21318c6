//go:build unix

package services

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Restart ends the server as its administrator does, without waiting for its clients, and starts it
// again with further settings in the form name=value, which replace those of before.
func (p *PostgresProcess) Restart(t testing.TB, settings ...string) {
	t.Helper()
	if p.process != nil {
		p.process.stop()
		p.process = nil
	}
	for _, s := range settings {
		p.command = append(p.command, "-c", s)
	}
	p.Start(t)
}

// IsUp reports whether the server's main process runs.
func (p *PostgresProcess) IsUp() bool { return p.process != nil && isRunning(p.process.id) }

// Freeze stops all processes of the server, as a disk does that does not answer, until Thaw or the end
// of the test.
func (p *PostgresProcess) Freeze(t testing.TB) {
	t.Helper()
	if err := p.signalAll(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.signalAll(syscall.SIGCONT) })
}

// Thaw lets a frozen server go on.
func (p *PostgresProcess) Thaw(t testing.TB) {
	t.Helper()
	if err := p.signalAll(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// signalAll sends s to the main process of the server, so that it starts no others, and then to those
// that it has started.
func (p *PostgresProcess) signalAll(s syscall.Signal) error {
	if err := syscall.Kill(p.process.id, s); err != nil {
		return err
	}
	all, err := childrenOf(p.process.id)
	for _, id := range all {
		_ = syscall.Kill(id, s) // it may have ended
	}
	return err
}

// isRunning reports whether there is a process with this number that has not ended.
func isRunning(id int) bool {
	state, _, err := statusOf(id)
	return err == nil && state != "Z"
}

// childrenOf returns the processes whose parent is the process with this number.
func childrenOf(id int) (list []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if _, parent, err := statusOf(child); err == nil && parent == id {
			list = append(list, child)
		}
	}
	return list, nil
}

var errStatus = errors.New("not in the form of proc(5)")

// statusOf returns the state and the parent of a process.
func statusOf(id int) (state string, parent int, err error) {
	path := fmt.Sprintf("/proc/%d/stat", id)
	content, err := os.ReadFile(path) //nolint:gosec // of the system
	if err != nil {
		return "", 0, err
	}
	_, rest, _ := strings.Cut(string(content), ") ") // after the name
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return "", 0, fmt.Errorf("%s: %w", path, errStatus)
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err
}

// MoveTo moves the files of the server into folder, which may be on another disk.
func (p *PostgresProcess) MoveTo(t testing.TB, folder string) {
	t.Helper()
	p.process.stop()
	p.process = nil
	data, moved := filepath.Join(p.Folder, "data"), filepath.Join(folder, "data")
	if err := copyTree(data, moved); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(data), os.Symlink(moved, data)); err != nil {
		t.Fatal(err)
	}
	p.Start(t)
}
