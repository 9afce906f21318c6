package sandbox

import (
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// maxPaths is how many different paths are counted; callers choose the paths.
const maxPaths = 1000

// calls counts requests by path.
type calls struct {
	mu     sync.Mutex
	byPath map[string]int
}

func (c *calls) add(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.byPath[path]; known || len(c.byPath) < maxPaths {
		c.byPath[path]++
	}
}

func (c *calls) count(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPath[path]
}

func (c *calls) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.byPath)
}

// isControl reports whether path is one of those by which a tester steers the
// sandbox, as opposed to those that stand for another service of the vendor's.
func isControl(path string) bool {
	for _, open := range []string{filesPath, "/_sandbox/samples/", "/_sandbox/oauth/"} {
		if strings.HasPrefix(path, open) {
			return false
		}
	}
	return strings.HasPrefix(path, "/_sandbox/")
}

// mountOwn mounts everything that the vendor does not have.
func (s *Sandbox) mountOwn() {
	s.mux.HandleFunc("GET "+filesPath+"{id}/{name}", s.serveFile)
	s.mux.HandleFunc("GET /_sandbox/samples/{name}", s.serveSample)
	s.mux.HandleFunc("GET /_sandbox/oauth/{id}", s.giveConsent)

	s.control("GET /_sandbox/faults", s.listFaults)
	s.control("POST /_sandbox/faults", s.postFault)
	s.control("DELETE /_sandbox/faults", func(r *http.Request) (reply, error) {
		s.ClearFaults()
		return s.listFaults(r)
	})
	s.control("GET /_sandbox/calls", func(*http.Request) (reply, error) {
		return ok(map[string]any{"calls": s.calls.snapshot()})
	})
	s.control("POST /_sandbox/inbound-email/{id}/deliver", s.deliver)
	s.control("POST /_sandbox/inbox/revoke", s.revokeInbox)
}

// control mounts a control call. It answers only callers on this machine, and
// no page of another origin: a browser on this machine opens foreign pages too.
func (s *Sandbox) control(pattern string, serve func(*http.Request) (reply, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !from.Addr().Unmap().IsLoopback() || s.sameSite.Check(r) != nil {
			s.writeRefusal(w, &refusal{status: http.StatusForbidden, msg: "Only for callers on this machine"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxSmall)
		rep, err := serve(r)
		if err != nil {
			s.writeError(w, err)
			return
		}
		writeJSON(w, rep.status, rep.body)
	})
}

func (s *Sandbox) listFaults(*http.Request) (reply, error) {
	return ok(map[string]any{"faults": s.faults.list()})
}

func (s *Sandbox) postFault(r *http.Request) (reply, error) {
	var f Fault
	if err := readKnown(r, &f); err != nil {
		return reply{}, err
	}
	if wrong := f.problem(); wrong != "" {
		return reply{}, bad(wrong)
	}
	s.AddFault(f)
	return reply{http.StatusCreated, f}, nil
}
