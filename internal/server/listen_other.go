//go:build !linux

package server

import "net"

// refuseConnections does nothing: only Linux can keep new connections away while those that
// wait are accepted.
func refuseConnections(net.Listener) {}
