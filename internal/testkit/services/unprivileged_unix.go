//go:build unix

package services

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// unprivileged gives folder to another user if this one is root, and returns a function
// that makes a command run as that user, since PostgreSQL refuses to run as root.
func unprivileged(folder string) (func(*exec.Cmd), error) {
	if os.Geteuid() != 0 {
		return func(*exec.Cmd) {}, nil
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		owner, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user to run PostgreSQL as: %w", err)
	}
	uid, err := strconv.ParseUint(owner.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(owner.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(folder, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return func(cmd *exec.Cmd) {
		cmd.Dir = folder
		as := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // parsed as 32 bits
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	}, nil
}
