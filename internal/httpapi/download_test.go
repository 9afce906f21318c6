package httpapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casbroker/internal/httpapi"
)

var errBroken = errors.New("the source is broken")

// send downloads a file that write produces. An error that Send returns becomes a 503.
func send(t *testing.T, write func(ctx context.Context, w io.Writer) error) (res *http.Response, body string, err error) {
	t.Helper()
	file := httpapi.Download{Name: "all.csv", Type: "text/csv", Log: slog.New(slog.DiscardHandler)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := file.Send(r.Context(), w, write); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
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
