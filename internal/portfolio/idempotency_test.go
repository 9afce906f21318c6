package portfolio_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSameKeyAndBodyReplayTheFirstAnswer(t *testing.T) {
	t.Parallel()
	b := start(t)
	first := b.save("asha", minimal("Fund"), "Idempotency-Key", "k-1")
	first.want(t, http.StatusCreated)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer has Idempotency-Replayed")
	}
	for _, key := range []string{"k-1", `"k-1"`, " k-1 ", `"k-1";v=1`, `"k-1" `, `"k-1"; a; b="x\";"; c=:aGk=:; *d=?1`} {
		again := b.save("asha", minimal("Fund"), "Idempotency-Key", key)
		again.want(t, http.StatusCreated)
		if !bytes.Equal(again.body, first.body) || again.header.Get("Location") != first.header.Get("Location") ||
			again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: got %s %v", key, again.body, again.header)
		}
	}
	zipped := b.call("asha", http.MethodPost, "/v1/portfolios", bytes.NewReader(zip(t, minimal("Fund"))),
		"Content-Type", "application/json", "Content-Encoding", "gzip", "Idempotency-Key", "k-1")
	if !bytes.Equal(zipped.body, first.body) {
		t.Errorf("compressed on the way: %s", zipped.body)
	}
	if got := b.save("asha", minimal("Other"), "Idempotency-Key", "k-1").want(t, http.StatusUnprocessableEntity); got.Code != "idempotency_key_reused" {
		t.Errorf("another body: %s", got.Code)
	}
	if got := b.save("asha", minimal("Fund"), "Idempotency-Key", "k-2"); got.want(t, http.StatusOK).ID != first.want(t, http.StatusCreated).ID {
		t.Errorf("another key: %s", got.body)
	}
	b.save("ravi", minimal("Other"), "Idempotency-Key", "k-1").want(t, http.StatusCreated)
	b.clock.Store(int64(25 * time.Hour))
	b.save("asha", minimal("Other"), "Idempotency-Key", "k-1").want(t, http.StatusCreated)
}

func TestKeyIsInFlightUntilItsRequestOrItsLeaseEnds(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.killed.Store(true)
	b.save("asha", minimal("Fund"), "Idempotency-Key", "k").want(t, http.StatusServiceUnavailable)
	b.killed.Store(false)
	r := b.save("asha", minimal("Fund"), "Idempotency-Key", "k")
	if got := r.want(t, http.StatusConflict); got.Code != "idempotency_in_flight" || r.header.Get("Retry-After") != "2" {
		t.Errorf("got %s, Retry-After %q", got.Code, r.header.Get("Retry-After"))
	}
	b.clock.Store(int64(3 * time.Second))
	b.save("asha", minimal("Fund"), "Idempotency-Key", "k").want(t, http.StatusCreated)
}

func TestFailedSaveReleasesItsKey(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.broken.Store(true)
	b.save("asha", minimal("Fund"), "Idempotency-Key", "k").want(t, http.StatusServiceUnavailable)
	b.broken.Store(false)
	b.save("asha", []byte(`{}`), "Idempotency-Key", "k").want(t, http.StatusUnprocessableEntity)
	b.save("asha", minimal("Fund"), "Idempotency-Key", "k").want(t, http.StatusCreated)
}

func TestKeyOfADeletedPortfolioDoesNotSaveItAgain(t *testing.T) {
	t.Parallel()
	b := start(t)
	saved := b.save("asha", minimal("Fund"), "Idempotency-Key", "k").want(t, http.StatusCreated)
	b.call("asha", http.MethodDelete, "/v1/portfolios/"+saved.ID, nil).want(t, http.StatusNoContent)
	if got := b.save("asha", minimal("Fund"), "Idempotency-Key", "k").want(t, http.StatusConflict); got.Code != "idempotency_answer_deleted" {
		t.Errorf("got %s", got.Code)
	}
	b.get("asha", "/v1/portfolios/"+saved.ID).want(t, http.StatusNotFound)
	b.save("asha", minimal("Fund"), "Idempotency-Key", "k-2").want(t, http.StatusCreated)
}

func TestMalformedKeyIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, key := range []string{
		"", `""`, `"`, `"open`, "a b", "ä", `"ä"`, `"a"b"`, `"a\b"`, `"a","b"`, `"a", "b"`, "k1, k2", `"a";`, `"a";V=1`, `"a" ;v=1`, `"a";v=`, `"a"x`,
		strings.Repeat("k", 256), `"` + strings.Repeat("k", 256) + `"`,
	} {
		if got := b.save("asha", minimal("Fund"), "Idempotency-Key", key).want(t, http.StatusBadRequest); got.Code != "invalid_idempotency_key" {
			t.Errorf("%q: got %s", key, got.Code)
		}
	}
	for _, key := range []string{"k", strings.Repeat("k", 255), `"a\"b\\c"`, `"a b"`, `"` + strings.Repeat("k", 255) + `"`, "0f8b2c1e-6a3d-4c57-9e40-2b7d1a5c8f93", "a=b;c"} {
		if got := b.save("asha", minimal("Fund"), "Idempotency-Key", key); got.status >= 300 {
			t.Errorf("%q: got %s", key, got.body)
		}
	}
}
