package sandbox

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// credit is an amount of credits in tenths, the smallest part that is charged.
type credit int

// String writes the amount in credits, such as "12" or "0.2".
func (c credit) String() string { return strconv.FormatFloat(float64(c)/10, 'f', -1, 64) }

// MarshalJSON writes the amount as a number of credits.
func (c credit) MarshalJSON() ([]byte, error) { return []byte(c.String()), nil }

// maxUsage is how many usage records an account keeps.
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

// account is a customer with what was used so far.
type account struct {
	key       string
	public    bool
	unlimited bool
	limit     credit

	mu     sync.Mutex
	used   credit
	log    []usage
	window time.Time // the minute that inWindow counts, for the public key
	inWin  int
}

func openAccounts(opts Options) map[string]*account {
	all := map[string]*account{PublicKey: {key: PublicKey, public: true, unlimited: true}}
	open := func(a Account) {
		if a.APIKey != "" {
			all[a.APIKey] = &account{key: a.APIKey, unlimited: a.Credits < 0, limit: credit(max(a.Credits, 0)) * 10}
		}
	}
	if opts.Credits == 0 {
		opts.Credits = defaultCredits
	}
	open(Account{APIKey: opts.APIKey, Credits: opts.Credits})
	for _, a := range opts.Accounts {
		open(a)
	}
	return all
}

// spend takes cost, or returns false and takes nothing when it is not there.
func (a *account) spend(cost credit) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.public {
		return true
	}
	if !a.unlimited && a.used+cost > a.limit {
		return cost == 0
	}
	a.used += cost
	return true
}

func (a *account) refund(cost credit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.public {
		a.used -= cost
	}
}

func (a *account) spent() credit {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// showCredits tells what this call was charged and what is left.
func (a *account) showCredits(h http.Header, charged credit) {
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

// between returns the usage from one instant to another, newest first.
func (a *account) between(from, to time.Time) []usage {
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

// limited counts a request of the public key and returns after how many seconds
// to come back, 0 when there is room. Other keys have no limit.
func (a *account) limited(now time.Time) int {
	if !a.public {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.window) >= time.Minute {
		a.window, a.inWin = now, 0
	}
	if a.inWin >= PublicLimit {
		left := time.Minute - now.Sub(a.window)
		return int((left + time.Second - 1) / time.Second)
	}
	a.inWin++
	return 0
}

// masked shows the first and the last four characters of the key.
func (a *account) masked() string {
	if len(a.key) < 12 {
		return "****"
	}
	return a.key[:4] + "****" + a.key[len(a.key)-4:]
}
