package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/gateway"
)

// copies records what a gateway captures.
type copies chan captured

type captured struct {
	subject string
	callID  string
	answer  []byte
	err     error
}

// Begin is that of gateway.Captures.
func (c copies) Begin(subject, callID string) (func([]byte), func(error)) {
	got := captured{subject: subject, callID: callID}
	return func(answer []byte) { got.answer = answer }, func(err error) {
		got.err = err
		c <- got
	}
}

func (c copies) next(t *testing.T) captured {
	t.Helper()
	select {
	case got := <-c:
		return got
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was captured")
		return captured{}
	}
}

func withCopies(c copies) func(*gateway.Handler) {
	return func(h *gateway.Handler) { h.Captures = c }
}

// ask sends a parse call and reads the answer.
func ask(t *testing.T, w *world) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/gateway/v4/smart/parse", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", valid)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

func TestSuccessfulAnswersAreCopied(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 10, "many reads": 3 << 20, "the longest": 16 << 20} {
		seen := make(copies, 1)
		answer := []byte(`"` + strings.Repeat("a", size-2) + `"`)
		w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write(answer)
		}, withCopies(seen))
		if status, body := ask(t, w); status != 200 || !bytes.Equal(body, answer) {
			t.Fatalf("%s: got %d, %d bytes", name, status, len(body))
		}
		if got := seen.next(t); got.subject != "app:asha" || got.err != nil || !bytes.Equal(got.answer, answer) {
			t.Errorf("%s: got %d bytes of %s, %v", name, len(got.answer), got.subject, got.err)
		}
	}
}

func TestLongAnswersAreNotCopiedButPass(t *testing.T) {
	t.Parallel()
	seen := make(copies, 1)
	answer := bytes.Repeat([]byte(" "), 16<<20+1)
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write(answer)
	}, withCopies(seen))
	if status, body := ask(t, w); status != 200 || len(body) != len(answer) {
		t.Fatalf("got %d, %d bytes", status, len(body))
	}
	if got := seen.next(t); got.err == nil || got.answer != nil {
		t.Errorf("got %d bytes, want no copy", len(got.answer))
	}
}

func TestErrorsAreNotCopied(t *testing.T) {
	t.Parallel()
	seen := make(copies, 2)
	status := http.StatusBadRequest
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = fmt.Fprint(rw, status)
	}, withCopies(seen))
	for _, status = range []int{400, 200} {
		if got, _ := ask(t, w); got != status {
			t.Errorf("got %d, want %d", got, status)
		}
	}
	if got := seen.next(t); string(got.answer) != "200" {
		t.Errorf("got %q, want only the success", got.answer)
	}
}

func TestAnswerThatBreaksOffHasNoCopy(t *testing.T) {
	t.Parallel()
	seen := make(copies, 1)
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Length", "100")
		_, _ = rw.Write([]byte(`{"meta":`))
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}, withCopies(seen))
	leave(t, w, nil)
	if got := seen.next(t); got.err == nil || got.answer != nil {
		t.Errorf("got %q, want no copy", got.answer)
	}
}

// leave sends a parse call, calls before unless that is nil, and closes the connection
// without reading the answer.
func leave(t *testing.T, w *world, before func()) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /gateway/v4/smart/parse HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", valid)
	if err != nil {
		t.Fatal(err)
	}
	if before == nil {
		_, _ = bufio.NewReader(conn).ReadString('\n')
		return
	}
	before()
}

func TestAnswerIsCopiedAlthoughTheCallerLeaves(t *testing.T) {
	t.Parallel()
	seen, asked, left := make(copies, 1), make(chan bool), make(chan bool)
	answer := []byte(`"` + strings.Repeat("a", 8<<20) + `"`) // more than the buffers of the connection
	w, calls := newRecorded(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(asked)
		<-left
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write(answer)
	})
	withCopies(seen)(w.handler)
	leave(t, w, func() { <-asked })
	close(left)
	if got := seen.next(t); got.err != nil || !bytes.Equal(got.answer, answer) {
		t.Errorf("got %d bytes, %v", len(got.answer), got.err)
	}
	if got := w.outcome(t, 1); got != "parse aborted" {
		t.Errorf("got the outcome %q", got)
	}
	// The vendor was paid for an answer, which the user has in a portfolio.
	if _, ended := calls.last(t, w); ended.Outcome != gateway.OutcomeOK || ended.Delivery != gateway.Answered {
		t.Errorf("got %+v, want a call that succeeded", ended)
	}
}

func TestVendorIsNotWaitedForWithoutCopiesWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	asked, ended := make(chan bool), make(chan bool)
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(asked)
		<-r.Context().Done()
		close(ended)
	})
	leave(t, w, func() { <-asked })
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the vendor's call goes on")
	}
}

// slowCopies keeps copies only once release is closed.
type slowCopies struct {
	kept    chan string
	release chan struct{}
}

// Begin is that of gateway.Captures.
func (c slowCopies) Begin(string, string) (func([]byte), func(error)) {
	return func(answer []byte) {
		c.kept <- string(answer)
		<-c.release
	}, func(error) {}
}

func TestEndOfAnAnswerIsPassedOnOnceItsCopyIsKept(t *testing.T) {
	t.Parallel()
	answer := `{"meta":{}}`
	for name, write := range map[string]func(http.ResponseWriter){
		"with a length": func(rw http.ResponseWriter) { _, _ = io.WriteString(rw, answer) },
		"in chunks": func(rw http.ResponseWriter) {
			_, _ = io.WriteString(rw, answer[:5])
			_ = http.NewResponseController(rw).Flush()
			_, _ = io.WriteString(rw, answer[5:])
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := slowCopies{make(chan string, 1), make(chan struct{})}
			w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				write(rw)
			}, func(h *gateway.Handler) { h.Captures = c })
			complete := make(chan bool)
			go func() {
				defer close(complete)
				if _, body := ask(t, w); string(body) != answer {
					t.Errorf("got %q, want %q", body, answer)
				}
			}()
			if got := <-c.kept; got != answer {
				t.Errorf("got the copy %q, want %q", got, answer)
			}
			select {
			case <-complete:
				t.Error("the answer was complete before its copy was kept")
			case <-time.After(50 * time.Millisecond): // it can only come too early
			}
			close(c.release)
			<-complete
		})
	}
}
