package portfolio_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// heldBody is a body whose end arrives only when the test allows it.
type heldBody struct {
	arriving io.Reader
	waiting  chan struct{} // closed when everything before the end was read
	end      chan struct{} // the test closes it to let the body end
}

func hold(body []byte) *heldBody {
	return &heldBody{bytes.NewReader(body), make(chan struct{}), make(chan struct{})}
}

func (h *heldBody) Read(p []byte) (int, error) {
	n, err := h.arriving.Read(p)
	if err == io.EOF {
		select {
		case <-h.waiting:
		default:
			close(h.waiting)
		}
		<-h.end
	}
	return n, err
}

// begin starts to save body and returns when everything before its end was read. The
// status is sent after body has ended.
func (b *broker) begin(user string, body *heldBody) <-chan int {
	status := make(chan int, 1)
	req := httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, "/v1/portfolios", body) // of unknown length
	req.Header.Set("Authorization", "Bearer "+user)
	req.Header.Set("Content-Type", "application/json")
	go func() {
		res := httptest.NewRecorder()
		b.routes.ServeHTTP(res, req)
		status <- res.Code
	}()
	<-body.waiting
	return status
}

// padded returns a statement that trailing spaces make large.
func padded() []byte { return append(minimal("Fund"), bytes.Repeat([]byte(" "), maxBody/2)...) }

func (b *broker) wantBusy(r reply, status int, code string) {
	b.t.Helper()
	if got := r.want(b.t, status); got.Code != code || r.header.Get("Retry-After") == "" {
		b.t.Errorf("%s, Retry-After %q", got.Code, r.header.Get("Retry-After"))
	}
}

func TestLargeSavesAreLimitedAndSmallOnesAreNot(t *testing.T) {
	t.Parallel()
	b := start(t)
	var bodies []*heldBody
	var statuses []<-chan int
	for _, user := range []string{"one", "two", "three", "four"} {
		body := hold(padded())
		bodies, statuses = append(bodies, body), append(statuses, b.begin(user, body))
	}
	b.wantBusy(b.save("asha", padded()), http.StatusServiceUnavailable, "save_busy")
	b.wantBusy(b.save("asha", zip(t, padded()), "Content-Encoding", "gzip"), http.StatusServiceUnavailable, "save_busy")
	b.save("ravi", minimal("Fund")).want(t, http.StatusCreated)
	b.save("meera", zip(t, minimal("Fund")), "Content-Encoding", "gzip").want(t, http.StatusCreated)
	b.save("asha", bytes.Repeat([]byte(" "), maxBody+1)).want(t, http.StatusRequestEntityTooLarge)
	for i, body := range bodies {
		close(body.end)
		if status := <-statuses[i]; status != http.StatusCreated {
			t.Errorf("save %d: got %d, want 201", i, status)
		}
	}
	b.save("asha", padded()).want(t, http.StatusCreated)
}

func TestEachUserHasOneLargeSaveAtATime(t *testing.T) {
	t.Parallel()
	b := start(t)
	body := hold(padded())
	status := b.begin("rohan", body)
	b.wantBusy(b.save("rohan", padded()), http.StatusTooManyRequests, "large_save_under_way")
	b.save("rohan", minimal("Fund")).want(t, http.StatusCreated)
	b.save("asha", padded()).want(t, http.StatusCreated)
	close(body.end)
	if s := <-status; s != http.StatusOK { // the same statement as the small one
		t.Errorf("the first save: got %d, want 200", s)
	}
	b.save("rohan", padded()).want(t, http.StatusOK)
}

func TestBodyThatHasNotArrivedReservesNothing(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, user := range []string{"one", "two", "three", "four", "five"} {
		body := hold(minimal("Fund")) // without a Content-Length, so it may be large
		status := b.begin(user, body)
		defer func() { close(body.end); <-status }()
	}
	b.save("asha", padded()).want(t, http.StatusCreated)
}

func TestStalledLargeBodiesTakeNoMemoryThatOthersNeed(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, user := range []string{"one", "two", "three", "four", "five"} {
		stalled := hold(append(minimal("Fund"), bytes.Repeat([]byte(" "), 300<<10)...)) // of a body of any length
		status := b.begin(user, stalled)
		defer func() { close(stalled.end); <-status }()
	}
	b.save("asha", padded()).want(t, http.StatusCreated)
}

// slowReader is an answer that is not read before the test says so.
type slowReader struct {
	*httptest.ResponseRecorder
	begun, read chan struct{}
}

func (s *slowReader) Write(p []byte) (int, error) {
	select {
	case <-s.begun:
	default:
		close(s.begun)
	}
	<-s.read
	return s.ResponseRecorder.Write(p)
}

func TestSlowReadersOfLargeAnswersHoldUpNoOtherSave(t *testing.T) {
	t.Parallel()
	b := start(t)
	read := make(chan struct{})
	large := bytes.Replace(minimal("Fund"), []byte("{"), []byte(`{"x":[`+strings.Repeat(`"`+strings.Repeat("x", 1<<10)+`",`, 600)+`0],`), 1)
	var readers []*slowReader
	var all sync.WaitGroup
	for i := range 5 {
		r := &slowReader{httptest.NewRecorder(), make(chan struct{}), read}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/compat", bytes.NewReader(large))
		req.Header.Set("Authorization", "Bearer slow"+string(rune('a'+i)))
		req.Header.Set("Content-Type", "application/json")
		all.Go(func() { b.routes.ServeHTTP(r, req) })
		<-r.begun
		readers = append(readers, r)
	}
	b.save("asha", padded()).want(t, http.StatusCreated)
	b.wantBusy(b.save("slowa", padded()), http.StatusTooManyRequests, "large_save_under_way")
	close(read)
	all.Wait()
	for i, r := range readers {
		if r.Code != http.StatusCreated || r.Body.Len() < len(large) || !jsontext.Value(r.Body.Bytes()).IsValid() {
			t.Errorf("reader %d: got %d with %d bytes, want 201 with all", i, r.Code, r.Body.Len())
		}
	}
}
