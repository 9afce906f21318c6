package apikey_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// clock is a clock that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a pool on a clock that the test moves.
type world struct {
	*apikey.Pool
	clock   *clock
	log     bytes.Buffer
	changes []string
}

func newWorld(o apikey.Options) *world {
	w := &world{clock: &clock{now: time.Date(2026, 4, 1, 11, 0, 0, 0, time.UTC)}}
	o.Now, o.Log = w.clock.Now, slog.New(slog.NewTextHandler(&w.log, nil))
	o.OnChange = func(name string, reason apikey.Reason) { w.changes = append(w.changes, name+" "+string(reason)) }
	w.Pool = apikey.New(o)
	return w
}

// keys returns keys with these names and without a rate; values begin with "value-of-".
func keys(names ...string) []apikey.Settings {
	list := make([]apikey.Settings, len(names))
	for i, name := range names {
		list[i] = apikey.Settings{Name: name, Value: secret.Text("value-of-" + name)}
	}
	return list
}

// take returns the key that the pool gives.
func (w *world) take(t *testing.T, use apikey.Use) *apikey.Key {
	t.Helper()
	k, err := w.Take(t.Context(), use)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// refused fails the test unless the pool gives no key because of want.
func (w *world) refused(t *testing.T, use apikey.Use, want *fault.Fault, after time.Duration) {
	t.Helper()
	k, err := w.Take(t.Context(), use)
	var f *fault.Fault
	if !errors.As(err, &f) || !errors.Is(err, want) || f.RetryAfter != after {
		t.Fatalf("got %+v, %v, want %s after %v", k, err, want.Code, after)
	}
}

// retryAfter returns the Retry-After of a fault.
func retryAfter(err error) time.Duration {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return 0
	}
	return f.RetryAfter
}

// shares returns how often each key is given in n requests.
func (w *world) shares(t *testing.T, n int, use apikey.Use) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		got[w.take(t, use).Name]++
	}
	return got
}

func status(code int, vendorCode string, header ...string) apikey.Answer {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return apikey.Answer{Status: code, Code: vendorCode, Header: h}
}

// account answers for the vendor.
type account func(value string) (apikey.Account, apikey.Reason, error)

func (a account) Account(_ context.Context, k *apikey.Key) (apikey.Account, apikey.Reason, error) {
	return a(k.Value.Reveal())
}

// fine is an account with credits.
func fine(string) (apikey.Account, apikey.Reason, error) {
	return apikey.Account{Remaining: 50, Limit: 100}, "", nil
}

func (w *world) check(t *testing.T, a account) {
	t.Helper()
	if err := w.Check(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

func TestKeysShareRequestsByWeight(t *testing.T) {
	t.Parallel()
	list := keys("a", "b", "c")
	list[1].Weight = 3
	w := newWorld(apikey.Options{Keys: list})
	if got, want := w.shares(t, 50, apikey.Use{}), map[string]int{"a": 10, "b": 30, "c": 10}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	w.take(t, apikey.Use{}).Report(status(200, ""))
	a := w.take(t, apikey.Use{})
	for a.Name != "b" {
		a = w.take(t, apikey.Use{})
	}
	a.Report(status(401, ""))
	if got := w.shares(t, 50, apikey.Use{}); got["b"] != 0 || got["a"] < 24 || got["c"] < 24 {
		t.Errorf("without b: got %v, want half for a and half for c", got)
	}
}

func TestAppWithKeysOfItsOwnUsesNoOther(t *testing.T) {
	t.Parallel()
	list := keys("shop", "lender", "main", "spare")
	list[0].Apps, list[1].Apps = []string{"shop"}, []string{"lender", "bank"}
	w := newWorld(apikey.Options{Keys: list})
	for app, want := range map[string]map[string]int{
		"shop": {"shop": 10}, "bank": {"lender": 10}, "lender": {"lender": 10}, "other": {"main": 5, "spare": 5}, "": {"main": 5, "spare": 5},
	} {
		if got := w.shares(t, 10, apikey.Use{App: app}); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", app, got, want)
		}
		if own := len(want) == 1; w.HasOwn(app) != own {
			t.Errorf("%s has keys of its own: got %v", app, !own)
		}
	}
	w.take(t, apikey.Use{App: "shop"}).Report(status(401, ""))
	w.refused(t, apikey.Use{App: "shop"}, apikey.ErrRefused, time.Minute)

	w = newWorld(apikey.Options{Keys: list[:2]})
	w.refused(t, apikey.Use{App: "other"}, apikey.ErrRefused, 0)
}

func TestAppIsBeforeTheColonOfASubject(t *testing.T) {
	t.Parallel()
	ctx := apikey.WithApp(t.Context(), apikey.AppOf("shop:asha:1"))
	if got := apikey.AppFrom(ctx); got != "shop" {
		t.Errorf("got %q, want shop", got)
	}
	if got := apikey.AppFrom(t.Context()); got != "" {
		t.Errorf("got %q, want none", got)
	}
}

func TestRefusedKeyIsSetAsideWithItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		reason apikey.Reason
		want   *fault.Fault
		after  time.Duration
	}{
		{401, "", apikey.Refused, apikey.ErrRefused, time.Minute},
		{401, "INVALID_API_KEY", apikey.Refused, apikey.ErrRefused, time.Minute},
		{403, "INVALID_API_KEY", apikey.Refused, apikey.ErrRefused, time.Minute},
		{402, "INVALID_API_KEY", apikey.Refused, apikey.ErrRefused, time.Minute},
		{403, "", apikey.QuotaOrKey, apikey.ErrRefused, time.Second},
		{402, "", apikey.OutOfCredits, apikey.ErrOutOfCredits, 5 * time.Minute},
		{402, "INSUFFICIENT_CREDITS", apikey.OutOfCredits, apikey.ErrOutOfCredits, 5 * time.Minute},
		{403, "INSUFFICIENT_CREDITS", apikey.OutOfCredits, apikey.ErrOutOfCredits, 5 * time.Minute},
	} {
		w := newWorld(apikey.Options{Keys: keys("a")})
		first, second := w.take(t, apikey.Use{}), w.take(t, apikey.Use{})
		first.Report(status(c.status, c.code))
		second.Report(status(c.status, c.code)) // says nothing new
		w.refused(t, apikey.Use{}, c.want, c.after)
		got := w.Status()
		if len(got) != 1 || got[0].Reason != c.reason || !got[0].Since.Equal(w.clock.Now()) || !got[0].RetryAt.Equal(w.clock.Now().Add(c.after)) {
			t.Errorf("%d %s: got %+v", c.status, c.code, got)
		}
		if log := w.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "key_name=a") || strings.Contains(log, "value-of") {
			t.Errorf("%d %s: logged %q, want one line with the name only", c.status, c.code, log)
		}
		if want := []string{"a ", "a " + string(c.reason)}; fmt.Sprint(w.changes) != fmt.Sprint(want) {
			t.Errorf("got the changes %q, want %q", w.changes, want)
		}
	}
}

func TestOtherAnswersDoNotSetAKeyAside(t *testing.T) {
	t.Parallel()
	w := newWorld(apikey.Options{Keys: keys("a")})
	for _, a := range []apikey.Answer{
		status(200, ""), status(400, "INVALID_PASSWORD"), status(403, "FEATURE_NOT_ENABLED"), status(404, ""), status(422, ""), status(500, "INVALID_API_KEY"), {},
	} {
		w.take(t, apikey.Use{}).Report(a)
	}
	if w.log.Len() > 0 {
		t.Errorf("logged %s", w.log.String())
	}
}

func TestKeyIsTriedAgainAfterLongerAndLongerPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(apikey.Options{Keys: keys("a")})
	w.take(t, apikey.Use{}).Report(status(401, ""))
	asked := 0
	refuse := account(func(string) (apikey.Account, apikey.Reason, error) {
		asked++
		return apikey.Account{}, apikey.Refused, errors.New("refused")
	})
	for i, pause := range []time.Duration{1, 2, 4, 8, 15, 15} {
		w.clock.advance(pause*time.Minute - time.Second)
		w.check(t, refuse)
		w.clock.advance(time.Second)
		if asked != i {
			t.Fatalf("asked %d times, want %d", asked, i)
		}
		w.check(t, refuse)
	}
	w.refused(t, apikey.Use{}, apikey.ErrRefused, 15*time.Minute)
	w.clock.advance(15 * time.Minute)
	w.check(t, func(string) (apikey.Account, apikey.Reason, error) {
		return apikey.Account{}, "", errors.New("no answer")
	})
	w.refused(t, apikey.Use{}, apikey.ErrRefused, 30*time.Second)
	w.clock.advance(30 * time.Second)
	w.check(t, func(string) (apikey.Account, apikey.Reason, error) { return apikey.Account{Limit: 100}, "", nil })
	w.refused(t, apikey.Use{}, apikey.ErrOutOfCredits, 5*time.Minute)
	w.clock.advance(5 * time.Minute)
	w.check(t, fine)
	w.take(t, apikey.Use{})
	if want := []string{"a ", "a refused", "a out_of_credits", "a "}; fmt.Sprint(w.changes) != fmt.Sprint(want) {
		t.Errorf("got the changes %q, want %q", w.changes, want)
	}
}

func TestKeyRestsAfterTooManyRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(apikey.Options{Keys: keys("a", "b")})
	w.take(t, apikey.Use{}).Report(status(429, "RATE_LIMITED", "Retry-After", "7"))
	if got := w.shares(t, 4, apikey.Use{}); got["b"] != 4 {
		t.Errorf("got %v, want only b", got)
	}
	w.take(t, apikey.Use{}).Report(status(429, ""))
	w.refused(t, apikey.Use{}, apikey.ErrBusy, 7*time.Second)
	w.clock.advance(7 * time.Second)
	w.take(t, apikey.Use{}).Report(status(401, ""))
	w.refused(t, apikey.Use{}, apikey.ErrBusy, 53*time.Second)
	w.clock.advance(53 * time.Second)
	w.take(t, apikey.Use{})
}

func TestOneRetryAfterHoldsForAllRequestsOfAKey(t *testing.T) {
	t.Parallel()
	var told []string
	w := newWorld(apikey.Options{Keys: keys("a"), OnHold: func(name string, d time.Duration) { told = append(told, name+" "+d.String()) }})
	var together []*apikey.Key // sent before the vendor's first answer
	for range 8 {
		together = append(together, w.take(t, apikey.Use{}))
	}
	together[0].Report(status(429, "", "Retry-After", "2"))
	for _, k := range together[1:4] {
		k.Report(status(429, "", "Retry-After", "2"))
	}
	sent := 0
	for range 20 {
		w.clock.advance(time.Second)
		for range 5 {
			if k, err := w.Take(t.Context(), apikey.Use{}); err == nil {
				sent++
				k.Report(status(429, "", "Retry-After", "2"))
			} else if !errors.Is(err, apikey.ErrBusy) || retryAfter(err) > 2*time.Second {
				t.Fatalf("got %v, want %v for 2 s at most", err, apikey.ErrBusy)
			}
		}
	}
	if sent != 10 || len(told) != 11 || told[0] != "a 2s" {
		t.Errorf("got %d requests in 20 s and the messages %q, want 10, and one for each", sent, told)
	}
	together[5].Report(status(200, "")) // it was sent before: it does not show that the vendor accepts requests again
	w.clock.advance(2 * time.Second)
	test := w.take(t, apikey.Use{})
	w.refused(t, apikey.Use{}, apikey.ErrBusy, time.Second)
	w.clock.advance(time.Second) // the test is slow
	w.take(t, apikey.Use{})
	w.refused(t, apikey.Use{}, apikey.ErrBusy, time.Second)
	test.Report(status(200, ""))
	if got := w.shares(t, 20, apikey.Use{}); got["a"] != 20 {
		t.Errorf("the vendor accepts requests again: got %v, want 20", got)
	}
}

func TestOtherReplicasHoldAKeyToo(t *testing.T) {
	t.Parallel()
	w := newWorld(apikey.Options{Keys: keys("a", "b"), OnHold: func(name string, _ time.Duration) { t.Errorf("%s was told again", name) }})
	w.Hold("a", 3*time.Second)
	w.Hold("none of ours", time.Hour)
	if got := w.shares(t, 4, apikey.Use{}); got["b"] != 4 {
		t.Errorf("got %v, want only b", got)
	}
	w.refused(t, apikey.Use{Only: "a"}, apikey.ErrBusy, 3*time.Second)
	w.clock.advance(3 * time.Second)
	w.take(t, apikey.Use{Only: "a"})
}

func TestCreditsTellWhatA403WithoutACodeMeans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		account account
		want    apikey.Reason
	}{
		"a bad key": {func(string) (apikey.Account, apikey.Reason, error) {
			return apikey.Account{}, apikey.QuotaOrKey, errors.New("refused")
		}, apikey.Refused},
		"no credits":  {func(string) (apikey.Account, apikey.Reason, error) { return apikey.Account{Limit: 100}, "", nil }, apikey.OutOfCredits},
		"the request": {fine, ""},
	} {
		w := newWorld(apikey.Options{Keys: keys("a")})
		w.take(t, apikey.Use{}).Report(status(403, ""))
		w.clock.advance(time.Second)
		w.check(t, c.account)
		if got := w.Status()[0].Reason; got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if c.want != "" {
			continue
		}
		w.take(t, apikey.Use{}).Report(status(403, ""))
		w.take(t, apikey.Use{}) // the key is not set aside again
		w.clock.advance(5 * time.Minute)
		w.take(t, apikey.Use{}).Report(status(403, ""))
		w.refused(t, apikey.Use{}, apikey.ErrRefused, time.Second) // its account may have changed
	}
}

func TestKeyOfAnEmptyingAccountComesLast(t *testing.T) {
	t.Parallel()
	w := newWorld(apikey.Options{Keys: keys("a", "b"), SwitchAt: 0.9, CreditsEvery: 5 * time.Minute})
	left := map[string]float64{"value-of-a": 10, "value-of-b": 100}
	ask := account(func(value string) (apikey.Account, apikey.Reason, error) {
		return apikey.Account{Remaining: left[value], Limit: 100}, "", nil
	})
	if got := w.shares(t, 2, apikey.Use{}); got["a"] != 1 {
		t.Errorf("before it is known: got %v, want both", got)
	}
	w.check(t, ask)
	if got := w.shares(t, 4, apikey.Use{}); got["b"] != 4 {
		t.Errorf("got %v, want only b", got)
	}
	b := w.take(t, apikey.Use{})
	b.Report(status(200, "", "X-Credits-Remaining", "9.5"))
	if got := w.shares(t, 4, apikey.Use{}); got["a"] != 2 || got["b"] != 2 {
		t.Errorf("both are nearly empty: got %v, want both", got)
	}
	left["value-of-a"] = 90
	w.clock.advance(4 * time.Minute)
	w.check(t, ask)
	if got := w.shares(t, 4, apikey.Use{}); got["a"] != 2 {
		t.Errorf("before the next look: got %v, want both", got)
	}
	w.clock.advance(time.Minute)
	left["value-of-b"] = 5
	w.check(t, ask)
	if got := w.shares(t, 4, apikey.Use{}); got["a"] != 4 {
		t.Errorf("a has been renewed: got %v, want only a", got)
	}
	w.take(t, apikey.Use{}).Report(status(402, ""))
	if got := w.shares(t, 4, apikey.Use{}); got["b"] != 4 {
		t.Errorf("only b is left: got %v, want only b", got)
	}
}

func TestFileIsReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first-key\n")
	list := []apikey.Settings{{Name: "a", Value: "first-key", File: path}}
	w := newWorld(apikey.Options{Keys: list})
	w.check(t, fine)
	old := w.take(t, apikey.Use{})
	w.take(t, apikey.Use{}).Report(status(401, ""))
	w.refused(t, apikey.Use{}, apikey.ErrRefused, time.Minute)

	for name, bad := range map[string]string{"empty": "", "a token": "at_hush", "two words": "hush hush", "a line break": "hush\nhush", "long": strings.Repeat("h", 513)} {
		write(bad)
		lines := strings.Count(w.log.String(), "\n")
		w.check(t, fine)
		w.check(t, fine)
		if got := strings.Count(w.log.String(), "\n"); got > lines+1 || strings.Contains(w.log.String(), "hush") {
			t.Errorf("%s: logged %s, want one line without the text", name, w.log.String())
		}
		w.refused(t, apikey.Use{}, apikey.ErrRefused, time.Minute)
	}
	write("second-key")
	w.check(t, fine)
	if k := w.take(t, apikey.Use{}); k.Value.Reveal() != "second-key" {
		t.Errorf("got another value than that of the file")
	}
	old.Report(status(401, "")) // is about the first key
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.check(t, fine)
	if k := w.take(t, apikey.Use{}); k.Value.Reveal() != "second-key" {
		t.Errorf("got another value than the last one")
	}
	if log := w.log.String(); strings.Contains(log, "first-key") || strings.Contains(log, "second-key") || !strings.Contains(log, "no such file") {
		t.Errorf("logged %s, want why the file cannot be used, and no key", log)
	}
}

func TestStaticKeyIsAlwaysGiven(t *testing.T) {
	t.Parallel()
	s := apikey.Static("the-key")
	k, err := s.Take(t.Context(), apikey.Use{})
	if err != nil || k.Value.Reveal() != "the-key" {
		t.Fatalf("got %v", err)
	}
	k.Report(status(401, ""))
	if _, err := s.First(t.Context()); err != nil {
		t.Error(err)
	}
}
