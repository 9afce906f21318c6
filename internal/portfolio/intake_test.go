package portfolio_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// held is a body that says when it is read, and then has its reader wait.
type held struct {
	reading, end chan struct{}
	io.Reader
}

func hold(body []byte) *held {
	return &held{make(chan struct{}), make(chan struct{}), bytes.NewReader(body)}
}

func (h *held) Read(p []byte) (int, error) {
	select {
	case <-h.reading:
	default:
		close(h.reading)
	}
	<-h.end
	return h.Reader.Read(p)
}

// begin starts to save body, and returns when it is being read; the status comes
// once body has ended.
func (b *broker) begin(user string, body *held) <-chan int {
	status := make(chan int, 1)
	req := httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, "/v1/portfolios", body) // of unknown length
	req.Header.Set("Authorization", "Bearer "+user)
	req.Header.Set("Content-Type", "application/json")
	go func() {
		res := httptest.NewRecorder()
		b.routes.ServeHTTP(res, req)
		status <- res.Code
	}()
	<-body.reading
	return status
}

func TestLargeSavesWaitForOneAnotherAndSmallOnesForNobody(t *testing.T) {
	t.Parallel()
	b := start(t)
	var bodies []*held
	var statuses []<-chan int
	for _, user := range []string{"one", "two", "three", "four"} {
		body := hold(minimal("Fund"))
		bodies, statuses = append(bodies, body), append(statuses, b.begin(user, body))
	}
	large := append(minimal("Fund"), bytes.Repeat([]byte(" "), maxBody/2)...)
	busy := func(name string, r reply) {
		t.Helper()
		if got := r.want(t, http.StatusServiceUnavailable); got.Code != "save_busy" || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s, Retry-After %q", name, got.Code, r.header.Get("Retry-After"))
		}
	}
	busy("large", b.save("asha", large))
	busy("compressed", b.save("asha", zip(t, minimal("Fund")), "Content-Encoding", "gzip"))
	b.save("ravi", minimal("Fund")).want(t, http.StatusCreated)
	b.save("asha", bytes.Repeat([]byte(" "), maxBody+1)).want(t, http.StatusRequestEntityTooLarge)
	for i, body := range bodies {
		close(body.end)
		if status := <-statuses[i]; status != http.StatusCreated {
			t.Errorf("save %d answered %d", i, status)
		}
	}
	b.save("asha", large).want(t, http.StatusCreated)
}
