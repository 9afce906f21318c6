package main

import (
	"testing"

	"casbroker/internal/testkit/brokertest"
)

// program is a built broker that runs as its own process.
type program struct{ *brokertest.Program }

// build returns a broker with a folder of its own.
func build(t testing.TB) *program { return &program{brokertest.New(t)} }
