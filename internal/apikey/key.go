package apikey

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/secret"
)

// Reason is why a key is set aside.
type Reason string

// The reasons.
const (
	Refused      Reason = "refused"
	OutOfCredits Reason = "out_of_credits"
	// QuotaOrKey: the vendor answered 403 without a code, which may mean either.
	QuotaOrKey Reason = "quota_or_key"
)

// Text describes r.
func (r Reason) Text() string {
	switch r {
	case OutOfCredits:
		return "its account is out of credits"
	case QuotaOrKey:
		return "the vendor refuses it, or its quota is used up (the answer is the same)"
	default:
		return "the vendor refuses it"
	}
}

// Pauses before a key that was set aside is tried again.
const (
	firstRetry   = time.Minute
	maxRetry     = 15 * time.Minute
	creditsRetry = 5 * time.Minute
	doubtRetry   = time.Second // after a 403 without a code: Check asks which it is
)

// testPause is how long a request after a 429 is alone, unless it is answered earlier: it
// shows whether the vendor accepts requests again.
const testPause = time.Second

// vouchedFor is how long a 403 without a code is taken to be about the request, after the
// vendor has shown the credits of the key.
const vouchedFor = 5 * time.Minute

// defaultHold is how long a key rests after a 429 without Retry-After.
const defaultHold = time.Minute

// key is a key of a Pool and its state, which Pool.mu guards.
type key struct {
	Settings
	version int // of Value: how often it was replaced
	credit  int // of byWeight

	reason    Reason // why it is set aside; "" if it is not
	since     time.Time
	retryAt   time.Time
	pause     time.Duration // before retryAt
	heldUntil time.Time     // after a 429
	holds     int           // how often the key was held
	testing   bool          // it was held, and no answer since has shown that the vendor accepts requests again
	testUntil time.Time     // until then no other request is sent, if testing
	vouched   time.Time     // until then a 403 without a code is about the request, since the vendor said so

	limit   float64   // credits of the account; 0 if unknown
	spent   float64   // share of limit that was used, from 0 to 1
	askedAt time.Time // when Check last asked for the credits

	badFile string // what is wrong with the file; "" if nothing is
}

// usable reports whether the key can be used at now.
func (k *key) usable(now time.Time) bool { return k.reason == "" && !now.Before(k.heldUntil) }

// free reports whether one more request may be sent with the key at now.
func (k *key) free(now time.Time) bool {
	return k.usable(now) && (!k.testing || !now.Before(k.testUntil))
}

// restsFor returns how long the key rests still after a 429.
func (k *key) restsFor(now time.Time) time.Duration {
	d := k.heldUntil.Sub(now)
	if k.testing {
		d = max(d, k.testUntil.Sub(now))
	}
	return d
}

// Key is a key for one request.
type Key struct {
	Name  string
	Value secret.Text

	pool    *Pool // nil for a key of Static
	key     *key
	version int
	holds   int // of key, when it was chosen
	use     Use // of Take
}

// Replaceable reports whether Take now has a key for the same use, because k was set aside
// and another key can be used.
func (k *Key) Replaceable() bool {
	if k.pool == nil {
		return false
	}
	p := k.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	return !k.key.usable(now) && slices.ContainsFunc(p.serving(k.use.App, k.use.Only), func(other *key) bool { return other.usable(now) })
}

func (k *Key) rate() int {
	if k == nil || k.key == nil {
		return 0
	}
	return k.key.Rate // never changes
}

// usable reports whether k can still be used, and updates its value.
func (p *Pool) usable(k *Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	k.Value, k.version = k.key.Value, k.key.version
	return k.key.usable(p.Now())
}

// Answer is what the vendor answered to a request, as far as it says something of the key.
type Answer struct {
	Status int
	Code   string // the vendor's error code; "" without one
	Header http.Header
}

// ReasonOf returns why a key with this answer is of no use, "" if the answer does not say
// so.
func ReasonOf(status int, code string) Reason {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden:
	default:
		return ""
	}
	switch {
	case code == "INSUFFICIENT_CREDITS":
		return OutOfCredits
	case code == "INVALID_API_KEY", status == http.StatusUnauthorized:
		return Refused
	case status == http.StatusPaymentRequired:
		return OutOfCredits
	case code == "":
		return QuotaOrKey
	default: // 403 with another code is about the request
		return ""
	}
}

// Report tells the pool of the vendor's answer to the request. A key that is refused is set
// aside, and one that is used too fast rests.
func (k *Key) Report(a Answer) {
	if k.pool == nil {
		return
	}
	p := k.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.version != k.key.version {
		return // the answer is about an older value
	}
	k.key.readHeader(a.Header)
	now := p.Now()
	if a.Status == http.StatusTooManyRequests {
		p.hold(k.key, RetryAfter(a.Header, now), true)
		return
	}
	if a.Status != 0 && k.holds == k.key.holds {
		k.key.testing = false
	}
	reason := ReasonOf(a.Status, a.Code)
	if reason == QuotaOrKey && now.Before(k.key.vouched) {
		return // it is about the request
	}
	if reason != "" && k.key.reason == "" {
		p.setAside(k.key, reason)
	}
}

// setAside sets k aside, or leaves it aside for longer.
func (p *Pool) setAside(k *key, reason Reason) {
	now := p.Now()
	switch {
	case reason == OutOfCredits:
		k.pause = creditsRetry
	case reason == QuotaOrKey && k.reason == "":
		k.pause = doubtRetry
	case k.reason == "" || k.reason == OutOfCredits:
		k.pause = firstRetry
	default:
		k.pause = min(max(2*k.pause, firstRetry), maxRetry)
	}
	k.retryAt = now.Add(k.pause)
	if k.reason == reason {
		return
	}
	if k.reason == "" {
		k.since = now
	}
	k.reason = reason
	p.Log.Error("an API key is set aside: "+reason.Text(), "key_name", k.Name, "reason", reason, "until", k.retryAt.UTC())
	p.OnChange(k.Name, reason)
	p.wakeUp()
}

// restore ends that k is set aside.
func (p *Pool) restore(k *key) {
	if k.reason == "" {
		return
	}
	k.reason, k.pause, k.retryAt = "", 0, time.Time{}
	p.Log.Info("an API key is used again", "key_name", k.Name)
	p.OnChange(k.Name, "")
}

// Hold lets the key called name rest for d, since the vendor has answered 429 to another
// replica.
func (p *Pool) Hold(name string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.keys {
		if k.Name == name {
			p.hold(k, min(d, maxRetryAfter), false)
		}
	}
}

// hold lets k rest for d. Those who wait for a turn are refused. The other replicas are
// told, if tell is set and they do not know yet.
func (p *Pool) hold(k *key, d time.Duration, tell bool) {
	now := p.Now()
	held := now.Before(k.heldUntil)
	if !held {
		p.Log.Warn("the vendor accepts no more requests of an API key for now", "key_name", k.Name, "for", d.String())
	}
	k.testing = true
	if held && now.Add(d).Sub(k.heldUntil) < time.Second {
		return // requests that were sent together are answered alike
	}
	k.heldUntil = now.Add(d)
	k.holds++
	p.wakeUp()
	if tell && p.OnHold != nil {
		p.OnHold(k.Name, d)
	}
}

// readHeader updates the credits from the header of an answer.
func (k *key) readHeader(h http.Header) {
	left, err := strconv.ParseFloat(h.Get("X-Credits-Remaining"), 64)
	if err == nil && k.limit > 0 {
		k.spent = min(max(1-left/k.limit, 0), 1)
	}
}

// maxRetryAfter is the longest Retry-After that is believed.
const maxRetryAfter = 24 * time.Hour

// RetryAfter returns the Retry-After (RFC 9110, section 10.2.3) of a 429, 60 s if there is
// none. It is 1 s at least.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 1), uint64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), time.Second), maxRetryAfter)
	}
	return defaultHold
}
