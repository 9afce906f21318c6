package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casbroker/internal/auth"
)

func TestKeysThatWereNotLoadedAreReportedWithTheReason(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}})
	if err := a.Loaded(t.Context()); err == nil || !strings.Contains(err.Error(), `"corp"`) || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v, want the verifier and the answer of its address", err)
	}
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) }))
	t.Cleanup(s.Close)
	a = newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}})
	if err := a.Loaded(t.Context()); err == nil || !strings.Contains(err.Error(), "no usable key") {
		t.Errorf("got %v, want that there is no key", err)
	}
}
