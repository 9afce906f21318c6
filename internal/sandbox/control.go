package sandbox

import (
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// maxPaths is the number of different paths that are counted, as callers choose them.
const maxPaths = 1000

// callCounter counts requests by path. It is safe for concurrent use.
type callCounter struct {
	mu     sync.Mutex
	byPath map[string]int
}

func (c *callCounter) add(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.byPath[path]; known || len(c.byPath) < maxPaths {
		c.byPath[path]++
	}
}

func (c *callCounter) count(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPath[path]
}

func (c *callCounter) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.byPath)
}

// isControl reports whether path is a control call, with which a test or a tester
// controls the sandbox. Files, samples and consent pages below /_sandbox/ are not:
// they emulate other services of the vendor and answer every caller.
func isControl(path string) bool {
	for _, public := range []string{filesPath, "/_sandbox/samples/", oauthPath} {
		if strings.HasPrefix(path, public) {
			return false
		}
	}
	return strings.HasPrefix(path, "/_sandbox/")
}

// mountSandboxRoutes mounts the routes that the vendor's API does not have.
func (s *Sandbox) mountSandboxRoutes() {
	s.mux.HandleFunc("GET "+filesPath+"{id}/{name}", s.serveFile)
	s.mux.HandleFunc("GET /_sandbox/samples/{name}", s.serveSample)
	s.mux.HandleFunc("GET "+oauthPath+"{id}", s.answerConsent)

	s.handleControl("GET /_sandbox/faults", s.listFaults)
	s.handleControl("POST /_sandbox/faults", s.postFault)
	s.handleControl("DELETE /_sandbox/faults", func(r *http.Request) (reply, error) {
		s.ClearFaults()
		return s.listFaults(r)
	})
	s.handleControl("GET /_sandbox/calls", func(*http.Request) (reply, error) {
		return ok(map[string]any{"calls": s.calls.snapshot()})
	})
	s.handleControl("GET /_sandbox/personas", s.listPersonas)
	s.handleControl("POST /_sandbox/inbound-email/{id}/deliver", s.deliver)
	s.handleControl("POST /_sandbox/inbox/revoke", s.revokeInbox)
	s.handleLocal("GET "+mailboxPath, func(w http.ResponseWriter, _ *http.Request) { s.showMailbox(w, "") })
	s.handleLocal("POST "+mailboxPath, s.forwardMail)
}

// handleControl mounts a control call. It rejects callers on other machines, and
// pages of another origin in a browser on this machine.
func (s *Sandbox) handleControl(pattern string, serve func(*http.Request) (reply, error)) {
	s.handleLocal(pattern, func(w http.ResponseWriter, r *http.Request) {
		rep, err := serve(r)
		if err != nil {
			s.writeError(w, err)
			return
		}
		writeJSON(w, rep.status, rep.body)
	})
}

// handleLocal mounts what handleControl and the page of mails share: the check of the
// caller, and the limit of the body.
func (s *Sandbox) handleLocal(pattern string, serve http.HandlerFunc) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !from.Addr().Unmap().IsLoopback() || s.sameSite.Check(r) != nil {
			s.writeAPIError(w, &apiError{status: http.StatusForbidden, msg: "Only for callers on this machine"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxJSON)
		serve(w, r)
	})
}

func (s *Sandbox) listFaults(*http.Request) (reply, error) {
	return ok(map[string]any{"faults": s.faults.list()})
}

func (s *Sandbox) postFault(r *http.Request) (reply, error) {
	var f Fault
	if err := readStrictJSON(r, &f); err != nil {
		return reply{}, err
	}
	if wrong := f.validate(); wrong != "" {
		return reply{}, badRequest(wrong)
	}
	s.AddFault(f)
	return reply{http.StatusCreated, f}, nil
}
