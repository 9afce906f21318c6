//go:build unix

package outage

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
)

// TestStatementIsParsedOnceAlthoughPostgresGoesAway kills PostgreSQL while the vendor parses a statement,
// and starts it again, in the long version once the sender has got 503 save_pending. The sender tries again
// with the same key, on the other replica, until the statement is saved: the vendor gets one call.
func TestStatementIsParsedOnceAlthoughPostgresGoesAway(t *testing.T) {
	t.Parallel()
	postgres := services.OwnPostgres(t)
	d := deployOn(t, postgres.URL, 2, mixedSettings()...)
	const parse = "/v4/smart/parse"
	d.vendor.AddFault(sandbox.Fault{Path: parse, Kind: sandbox.FaultDelay, DelayMS: 1000})
	jwt := brokertest.Token(t, "asha")
	upload := func(replica int, document string) (brokertest.Reply, error) {
		return d.replicas[replica].Call(t.Context(), jwt, http.MethodPost, "/v1/statements", []byte(document), "Content-Type", formType, "Idempotency-Key", "k")
	}
	type result struct {
		brokertest.Reply
		err error
	}
	first := make(chan result, 1)
	go func() {
		r, err := upload(0, statementForm)
		first <- result{r, err}
	}()
	eventually(t, "the vendor has the statement", func() bool { return d.vendor.Calls(parse) == 1 })
	postgres.Kill()
	var r result
	if long() {
		if r = <-first; r.err != nil || r.Status != http.StatusServiceUnavailable || !strings.Contains(string(r.Body), `"save_pending"`) || r.Header.Get("Retry-After") == "" {
			t.Errorf("while PostgreSQL is away: got %v, %d %s, want 503 save_pending with Retry-After", r.err, r.Status, r.Body)
		}
	} else {
		eventually(t, "the vendor's answer cannot be stored", func() bool {
			return strings.Contains(d.replicas[0].Output.String(), "an answer of the vendor is passed on before it is stored")
		})
	}
	postgres.Start(t)
	began := time.Now()
	answer := d.uploaded(func() (brokertest.Reply, error) { return upload(1, statementForm) })
	if !long() {
		if r = <-first; r.err != nil || !same(r.Reply, answer) && !strings.Contains(string(r.Body), `"save_pending"`) {
			t.Errorf("the first sender got %v, %d %s, want %d %s or save_pending", r.err, r.Status, r.Body, answer.Status, answer.Body)
		}
	}
	report(t, "the answer came %s after PostgreSQL was back; the vendor got %d calls", time.Since(began).Round(time.Millisecond), d.vendor.Calls(parse))
	if again, err := upload(0, statementForm); err != nil || !same(again, answer) || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: got %v, %d %s, want %d %s", err, again.Status, again.Body, answer.Status, answer.Body)
	}
	if other, err := upload(0, strings.Replace(statementForm, "cdsl\n", "nsdl\n", 1)); err != nil || other.Status != http.StatusUnprocessableEntity {
		t.Errorf("another document: got %v, %d %s, want 422", err, other.Status, other.Body)
	}
	if calls := d.vendor.Calls(parse); calls != 1 {
		t.Errorf("the vendor got %d calls, want 1", calls)
	}
	var list struct{ Portfolios []struct{ ID string } }
	d.replicas[1].Must(jwt, http.MethodGet, "/v1/portfolios", nil, http.StatusOK, &list)
	if len(list.Portfolios) != 1 {
		t.Errorf("got %+v, want one portfolio", list)
	}
}

// uploaded sends a statement until it is saved. Until then the answer must be 409 or 503 with Retry-After.
func (d *deployment) uploaded(send func() (brokertest.Reply, error)) (r brokertest.Reply) {
	d.t.Helper()
	eventually(d.t, "the statement is saved", func() bool {
		var err error
		r, err = send()
		saved := r.Status == http.StatusCreated
		if err != nil || !saved && (r.Status != http.StatusConflict && r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "") {
			d.t.Fatalf("got %v, %d %s, want 201, or 409 or 503 with Retry-After", err, r.Status, r.Body)
		}
		return saved
	})
	var body struct{ ID string }
	if err := json.Unmarshal(r.Body, &body); err != nil || body.ID == "" {
		d.t.Fatalf("got %v, %s, want a portfolio", err, r.Body)
	}
	return r
}
