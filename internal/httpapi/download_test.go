package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/httpapi"
	"casbroker/internal/spool"
)

// shortTimeout is that of the server.
const shortTimeout = 300 * time.Millisecond

var errBroken = errors.New("the source is broken")

// send downloads a file that write produces. An error that Send returns becomes a 503.
func send(t *testing.T, write func(ctx context.Context, w io.Writer) error) (res *http.Response, body string, err error) {
	t.Helper()
	return sendFrom(t, nil, write)
}

// sendFrom is send with a Spool.
func sendFrom(t *testing.T, from *spool.Dir, write func(ctx context.Context, w io.Writer) error) (res *http.Response, body string, err error) {
	t.Helper()
	file := httpapi.Download{Name: "all.csv", Type: "text/csv", Log: slog.New(slog.DiscardHandler), Spool: from}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := file.Send(r, w, write); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	s.Config.ReadTimeout, s.Config.WriteTimeout = shortTimeout, shortTimeout
	s.Start()
	t.Cleanup(s.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err = s.Client().Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	read, err := io.ReadAll(res.Body)
	return res, string(read), err
}

func TestDownloadIsStreamed(t *testing.T) {
	t.Parallel()
	res, body, err := send(t, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "a,b\r\n")
		return err
	})
	if err != nil || res.StatusCode != 200 || body != "a,b\r\n" || res.Header.Get("Content-Type") != "text/csv" ||
		res.Header.Get("Content-Disposition") != `attachment; filename="all.csv"` {
		t.Errorf("got %v %q %v", res, body, err)
	}
}

func TestFailureBeforeTheFirstByteIsReturned(t *testing.T) {
	t.Parallel()
	res, body, err := send(t, func(context.Context, io.Writer) error { return errBroken })
	if err != nil || res.StatusCode != 503 || !strings.Contains(body, "broken") || res.Header.Get("Content-Disposition") != "" ||
		!strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("got %v %q %v", res, body, err)
	}
}

func TestFailureAfterTheFirstByteBreaksTheConnection(t *testing.T) {
	t.Parallel()
	_, body, err := send(t, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "a,b\r\n")
		return errors.Join(err, errBroken)
	})
	if err == nil {
		t.Errorf("got %q without an error", body)
	}
}

func TestSpooledDownloadIsSentAsAWhole(t *testing.T) {
	t.Parallel()
	from := spool.New(t.TempDir(), 1<<20)
	want := strings.Repeat("a,b\r\n", 50_000)
	res, body, err := sendFrom(t, from, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, want)
		return err
	})
	if err != nil || body != want || res.Header.Get("Content-Type") != "text/csv" || res.Header.Get("Content-Length") != fmt.Sprint(len(want)) {
		t.Errorf("got %v, %d bytes, %v, want %d bytes", res, len(body), err, len(want))
	}
}

func TestFailureOfASpooledDownloadIsReturned(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(context.Context, io.Writer) error{
		"broken": func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat("a,b\r\n", 50_000))
			return errors.Join(err, errBroken)
		},
		"export_unavailable": func(_ context.Context, w io.Writer) error { // too large
			_, err := io.WriteString(w, strings.Repeat("a,b\r\n", 500_000))
			return err
		},
	} {
		res, body, err := sendFrom(t, spool.New(t.TempDir(), 1<<20), write)
		if err != nil || res.StatusCode != 503 || !strings.Contains(body, name) || strings.Contains(body, "a,b") ||
			res.Header.Get("Content-Disposition") != "" {
			t.Errorf("%s: got %v %.100q %v", name, res, body, err)
		}
	}
}

func TestDownloadMayTakeLongerThanOtherAnswers(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]*spool.Dir{"streamed": nil, "spooled": spool.New(t.TempDir(), 1<<20)} {
		res, body, err := sendFrom(t, from, func(ctx context.Context, w io.Writer) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(2 * shortTimeout):
			}
			_, err := io.WriteString(w, "a,b\r\n")
			return err
		})
		if err != nil || res.StatusCode != 200 || body != "a,b\r\n" {
			t.Errorf("%s: got %v %q %v", name, res, body, err)
		}
	}
}

// slowReader is a caller who takes 29 s for each write.
type slowReader struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (s *slowReader) SetReadDeadline(time.Time) error { return nil }

func (s *slowReader) SetWriteDeadline(t time.Time) error {
	s.deadline = t
	return nil
}

func (s *slowReader) Write(p []byte) (int, error) {
	<-time.After(min(29*time.Second, time.Until(s.deadline))) // by the clock of synctest
	if !time.Now().Before(s.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	return s.ResponseRecorder.Write(p)
}

func TestSpooledDownloadEndsAfterTenMinutes(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		defer func() {
			if reason, took := recover(), time.Since(began); reason != http.ErrAbortHandler || took > 10*time.Minute { //nolint:errorlint // as net/http
				t.Errorf("got %v after %v, want an aborted answer after ten minutes", reason, took)
			}
		}()
		file := httpapi.Download{Name: "all.csv", Type: "text/csv", Log: slog.New(slog.DiscardHandler), Spool: spool.New(folder, 4<<20)}
		err := file.Send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), &slowReader{ResponseRecorder: httptest.NewRecorder()}, func(_ context.Context, w io.Writer) error {
			_, err := w.Write(make([]byte, 2<<20))
			return err
		})
		t.Errorf("got %v, want an aborted answer", err)
	})
}
