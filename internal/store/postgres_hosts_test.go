package store

import "testing"

func TestAnotherHostIsFoundAlsoIfAConnectionWasFirst(t *testing.T) {
	t.Parallel()
	h := &postgresHosts{open: map[string]int{}}
	h.use("a:5432")
	h.countOpen("a:5432", 1)
	h.use("b:5432") // of a new connection of the pool
	h.countOpen("b:5432", 1)
	if !h.use("b:5432") {
		t.Error("the connection to the first host was not found")
	}
	h.countOpen("a:5432", -1)
	if h.use("b:5432") {
		t.Error("found another host without a connection to it")
	}
}
