package server

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A listener is closed when no connection has waited to be accepted at acceptChecks checks in
// a row, or after acceptLimit.
const (
	acceptPoll   = 5 * time.Millisecond
	acceptChecks = 4
	acceptLimit  = time.Second
)

// dropSYN is a program for packets to a listening socket, which drops those that open a
// connection. The first byte of a packet is that of its TCP header.
var dropSYN = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13}, // the flags
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0x12},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x02, Jf: 1}, // SYN without ACK
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
}

// refuseConnections has l get no more connections, and waits until those that are open have
// been accepted: Linux resets them when l is closed, and their first requests are lost. Who
// opens a connection meanwhile tries again within a second, when l refuses.
func refuseConnections(l net.Listener) {
	listener, ok := l.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := listener.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(dropSYN)), Filter: &dropSYN[0]}) //nolint:gosec // a few instructions
	})
	if err != nil { // such as in a sandbox that emulates Linux
		return
	}
	tick := time.NewTicker(acceptPoll)
	defer tick.Stop()
	end := time.After(acceptLimit)
	for none := 0; none < acceptChecks; {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		if none++; waiting(raw) > 0 {
			none = 0
		}
	}
}

// waiting returns how many connections wait to be accepted.
func waiting(raw syscall.RawConn) (n uint32) {
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Unacked // of a listening socket: the length of the queue
		}
	})
	return n
}
