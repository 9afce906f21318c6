package brokertest

import (
	"os/exec"
	"syscall"
)

// endWithTest has cmd end with the test binary, even if that is killed. It ends with the thread that
// starts it, but Go ends none that is not locked to a goroutine.
func endWithTest(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
