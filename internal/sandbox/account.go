package sandbox

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// credit is an amount in tenths of a credit, the smallest unit charged.
type credit int

// String returns the amount in credits, such as "12" or "0.2".
func (c credit) String() string { return strconv.FormatFloat(float64(c)/10, 'f', -1, 64) }

// MarshalJSON encodes the amount as a number of credits.
func (c credit) MarshalJSON() ([]byte, error) { return []byte(c.String()), nil }

// maxUsage is the number of usage records that an account keeps.
const maxUsage = 10_000

// usage is one line of the usage log.
type usage struct {
	Timestamp  time.Time `json:"timestamp"`
	Feature    string    `json:"feature"`
	Path       string    `json:"path"`
	StatusCode int       `json:"status_code"`
	Credits    credit    `json:"credits"`
	RequestID  string    `json:"request_id"`
}

// account is a customer with its usage. It is safe for concurrent use.
type account struct {
	key       string
	public    bool
	unlimited bool
	limit     credit
	perMinute int // requests a minute; 0 for no limit

	mu       sync.Mutex
	used     credit
	log      []usage
	window   time.Time // start of the minute that inWindow counts
	inWindow int
}

func newAccounts(opts Options) map[string]*account {
	all := map[string]*account{PublicKey: {key: PublicKey, public: true, unlimited: true, perMinute: PublicLimit}}
	add := func(a Account) {
		if a.APIKey != "" {
			all[a.APIKey] = &account{
				key: a.APIKey, unlimited: a.Credits < 0, limit: credit(max(a.Credits, 0)) * 10, perMinute: max(opts.RateLimit, 0),
			}
		}
	}
	if opts.Credits == 0 {
		opts.Credits = defaultCredits
	}
	if opts.RateLimit == 0 {
		opts.RateLimit = AccountLimit
	}
	add(Account{APIKey: opts.APIKey, Credits: opts.Credits})
	for _, a := range opts.Accounts {
		add(a)
	}
	return all
}

// spend charges cost. It returns false and charges nothing when too little is left.
func (a *account) spend(cost credit) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.unlimited && a.used+cost > a.limit {
		return cost == 0
	}
	a.used += cost
	return true
}

func (a *account) refund(cost credit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used -= cost
}

func (a *account) spent() credit {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// setCreditHeaders sets the headers that say what this call cost and what is left.
func (a *account) setCreditHeaders(h http.Header, charged credit) {
	h.Set("X-Credits-Used", charged.String())
	if !a.unlimited {
		h.Set("X-Credits-Remaining", (a.limit - a.spent()).String())
	}
}

func (a *account) record(u usage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.log) >= maxUsage {
		a.log = append(a.log[:0:0], a.log[maxUsage/2:]...)
	}
	a.log = append(a.log, u)
}

// usageBetween returns the usage records from one instant to another, both
// included, newest first.
func (a *account) usageBetween(from, to time.Time) []usage {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []usage
	for i := len(a.log) - 1; i >= 0; i-- {
		if u := a.log[i]; !u.Timestamp.Before(from) && !u.Timestamp.After(to) {
			out = append(out, u)
		}
	}
	return out
}

// checkRate counts a request of the account's key or of one of its tokens. It returns
// errRateLimited, and does not count the request, if the current minute has had as many as
// are allowed. A minute starts with its first request.
func (a *account) checkRate(now time.Time) error {
	if a.perMinute == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.window) >= time.Minute {
		a.window, a.inWindow = now, 0
	}
	if a.inWindow >= a.perMinute {
		return errRateLimited
	}
	a.inWindow++
	return nil
}

// maskedKey returns the first and the last four characters of the key.
func (a *account) maskedKey() string {
	if len(a.key) < 12 {
		return "****"
	}
	return a.key[:4] + "****" + a.key[len(a.key)-4:]
}
