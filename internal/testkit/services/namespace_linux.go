package services

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// inNamespace is set in the environment of a test binary that RunInNamespace has started.
const inNamespace = "TESTS_RUN_IN_NAMESPACE"

// RunInNamespace runs the test binary again in a user namespace of its own, in which SmallDisk may
// mount file systems, and returns its exit code. ran is false if that is not needed, or not
// allowed on this machine, or for root, who would lose the user of PostgreSQL there: then the tests
// run as they are. It is called first in TestMain.
func RunInNamespace() (code int, ran bool) {
	if os.Getenv(inNamespace) != "" || os.Geteuid() == 0 || mayMount() {
		return 0, false
	}
	runtime.LockOSThread() // Pdeathsig is that of the thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...) //nolint:gosec,noctx // this program
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	const capSysAdmin = 21
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, AmbientCaps: []uintptr{capSysAdmin}, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
	}
	if cmd.Start() != nil {
		return 0, false
	}
	err := cmd.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return 1, true
	}
	if code = cmd.ProcessState.ExitCode(); code < 0 { // by a signal
		code = 1
	}
	return code, true
}

// mayMount reports whether this process may mount file systems.
func mayMount() bool {
	folder, err := os.MkdirTemp("", "casbroker-mount-")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(folder) }()
	if err := mountMemory(folder, "64k"); err != nil {
		return false
	}
	unmount(folder)
	return true
}

// mountMemory mounts a file system of the given size, such as 64m, in which all users may write.
func mountMemory(folder, size string) error {
	return syscall.Mount("tmpfs", folder, "tmpfs", 0, "mode=0777,size="+size)
}

// unmount removes a file system, once no file in it is open.
func unmount(folder string) { _ = syscall.Unmount(folder, syscall.MNT_DETACH) }
