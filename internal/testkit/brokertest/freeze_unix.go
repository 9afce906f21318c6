//go:build unix

package brokertest

import "syscall"

// Freeze stops the broker's threads, as a machine does that is suspended, until Thaw.
func (p *Program) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen broker go on.
func (p *Program) Thaw() { p.signal(syscall.SIGCONT) }
