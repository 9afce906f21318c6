package apikey

import (
	"context"
	"errors"
	"strings"
	"time"

	"casbroker/internal/secret"
)

// Account is the account of a key, as the vendor describes it.
type Account struct {
	Unlimited        bool
	Remaining, Limit float64 // credits
}

// Prober asks the vendor about keys.
type Prober interface {
	// Account returns the account of key. It returns why, if the vendor does not accept the
	// key.
	Account(ctx context.Context, key *Key) (Account, Reason, error)
}

// unknownRetry is the pause after the vendor did not say whether it accepts a key.
const unknownRetry = 30 * time.Second

// Check reads the files of the keys again, and asks the vendor about keys whose time has
// come. It is called every few seconds.
func (p *Pool) Check(ctx context.Context, vendor Prober) error {
	for _, k := range p.keys {
		p.readFile(k)
	}
	for _, k := range p.keys {
		if due := p.due(k); due != nil {
			p.probe(ctx, vendor, due)
		}
	}
	return ctx.Err()
}

// readFile replaces the value of k if its file has another one.
func (p *Pool) readFile(k *key) {
	if k.File == "" { // never changes
		return
	}
	value, err := ReadFile(k.File)
	p.mu.Lock()
	defer p.mu.Unlock()
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	switch {
	case problem != "" && problem != k.badFile:
		p.Log.Error("the file of an API key cannot be used; the value read before is used still", "key_name", k.Name, "error", problem)
	case problem == "" && value != k.Value:
		if p.OnValue != nil {
			p.OnValue(value)
		}
		k.Value, k.heldUntil, k.limit, k.spent, k.askedAt = value, time.Time{}, 0, 0, time.Time{}
		k.version++
		p.Log.Info("an API key was replaced, since its file has another one", "key_name", k.Name)
		p.restore(k)
	}
	k.badFile = problem
}

// due returns k if the vendor is to be asked about it now, else nil.
func (p *Pool) due(k *key) *Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	retry := k.reason != "" && !now.Before(k.retryAt)
	refresh := k.usable(now) && p.CreditsEvery > 0 && (k.askedAt.IsZero() || now.Sub(k.askedAt) >= p.CreditsEvery)
	if !retry && !refresh {
		return nil
	}
	k.askedAt = now
	return &Key{Name: k.Name, Value: k.Value, pool: p, key: k, version: k.version}
}

// probe asks the vendor about k.
func (p *Pool) probe(ctx context.Context, vendor Prober, k *Key) {
	if err := p.turn(ctx, k); err != nil {
		return // the key is busy, so it is asked about later
	}
	account, reason, err := vendor.Account(ctx, k)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case k.version != k.key.version || ctx.Err() != nil:
	case reason != "":
		if reason == QuotaOrKey {
			reason = Refused // the call costs nothing, so no quota can be used up
		}
		if !p.Now().Before(k.key.retryAt) { // else Report has just set it aside
			p.setAside(k.key, reason)
		}
	case err != nil: // the vendor does not answer
		if k.key.reason != "" {
			k.key.retryAt = p.Now().Add(unknownRetry)
		}
	default:
		k.key.limit, k.key.spent = account.Limit, 0
		if account.Limit > 0 {
			k.key.spent = min(max(1-account.Remaining/account.Limit, 0), 1)
		}
		if !account.Unlimited && account.Remaining <= 0 {
			p.setAside(k.key, OutOfCredits)
			return
		}
		if k.key.reason == QuotaOrKey {
			k.key.vouched = p.Now().Add(vouchedFor)
			p.Log.Warn("the vendor refused a request with 403 without a code, but its account has credits: the refusal is about the request", "key_name", k.Name)
		}
		p.restore(k.key)
	}
}

// turn waits for a turn of k that is not urgent.
func (p *Pool) turn(ctx context.Context, k *Key) error {
	if k.rate() == 0 {
		return nil
	}
	wait, ok, err := p.Pacer.Reserve(ctx, k.Name, paceOf(k.rate(), Use{Wait: p.Queue}))
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrBusy.After(wait)
	default:
		return sleep(ctx, wait)
	}
}

// First returns the first key, whether it can be used or not, when it is its turn.
func (p *Pool) First(ctx context.Context) (*Key, error) {
	p.mu.Lock()
	first := p.keys[0]
	k := &Key{Name: first.Name, Value: first.Value, pool: p, key: first, version: first.version}
	p.mu.Unlock()
	return k, p.turn(ctx, k)
}

// Status is the state of a key.
type Status struct {
	Name    string
	Reason  Reason    // why it is set aside; "" if it is not
	Since   time.Time // when it was set aside
	RetryAt time.Time // when it is tried again
	// Remaining and Limit are the credits of the account as last told; Limit is 0 if they are
	// unknown or unlimited.
	Remaining, Limit float64
	BadFile          string // why its file cannot be used, "" if it can; the value read before is used still
}

// Status returns the state of all keys.
func (p *Pool) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Status, len(p.keys))
	for i, k := range p.keys {
		list[i] = Status{Name: k.Name, Reason: k.reason, Since: k.since, RetryAt: k.retryAt, BadFile: k.badFile, Remaining: k.limit * (1 - k.spent), Limit: k.limit}
	}
	return list
}

var (
	errForm  = errors.New("the file has something else than an API key: 1 to 512 characters without spaces")
	errToken = errors.New("the file has an access token (at_…); want the API key")
)

// maxValue is the longest API key, in bytes.
const maxValue = 512

// ReadFile reads an API key from a file. Line breaks at the end are ignored.
func ReadFile(path string) (secret.Text, error) {
	value, err := secret.ReadFile(path)
	if err != nil {
		return "", err
	}
	return value, Validate(value)
}

// Validate returns an error if value is not an API key. The error does not have it.
func Validate(value secret.Text) error {
	other := strings.IndexFunc(value.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f })
	switch {
	case value == "" || len(value) > maxValue || other >= 0:
		return errForm
	case strings.HasPrefix(value.Reveal(), "at_"):
		return errToken
	default:
		return nil
	}
}
