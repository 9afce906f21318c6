package auth

import (
	"errors"
	"fmt"
	"slices"

	"casbroker/internal/secret"
)

// errNotReplaceable is returned for a name that has no key of the kind to replace.
var errNotReplaceable = errors.New("there is no such key to replace")

// CheckSecret returns why text cannot be a secret of the verifier called name, nil if it can.
// The error has no part of it.
func (a *Authenticator) CheckSecret(name string, text secret.Text) error {
	v, err := a.find(name)
	if err != nil {
		return err
	}
	return errors.Join(checkSecret(text, v.algorithms)...)
}

// ReplaceSecrets has the verifier called name verify with secrets, and no others, from now
// on; tokens in the cache are verified again. It changes nothing if one cannot be used.
func (a *Authenticator) ReplaceSecrets(name string, secrets ...secret.Text) error {
	for _, text := range secrets {
		if err := a.CheckSecret(name, text); err != nil {
			return err
		}
	}
	return a.replaceKeys(name, keysOf(secrets))
}

// CheckPublicKey is CheckSecret for the PEM file with the public key of a verifier.
func (a *Authenticator) CheckPublicKey(name string, text []byte) error {
	v, err := a.find(name)
	if err != nil {
		return err
	}
	_, errs := checkPublicKey(text, v.algorithms)
	return errors.Join(errs...)
}

// ReplacePublicKey is ReplaceSecrets for the PEM file with the public key of a verifier.
func (a *Authenticator) ReplacePublicKey(name string, text []byte) error {
	v, err := a.find(name)
	if err != nil {
		return err
	}
	public, errs := checkPublicKey(text, v.algorithms)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return a.replaceKeys(name, []any{public})
}

func (a *Authenticator) replaceKeys(name string, keys []any) error {
	v, err := a.find(name)
	if err != nil {
		return err
	}
	fixed, ok := v.keys.(*fixedKeys)
	if !ok || len(keys) == 0 {
		return fmt.Errorf("verifier %q: %w", name, errNotReplaceable)
	}
	a.replacing.Lock()
	defer a.replacing.Unlock()
	fixed.replace(keys)
	return nil
}

// find returns the verifier called name.
func (a *Authenticator) find(name string) (*verifier, error) {
	i := slices.IndexFunc(a.all, func(v *verifier) bool { return v.name == name })
	if i < 0 {
		return nil, fmt.Errorf("verifier %q: %w", name, errNotReplaceable)
	}
	return a.all[i], nil
}

// ReplaceServiceKey replaces the hashes of the service key called name; previous may be "".
// It changes nothing if one of them is not a hash.
func (a *Authenticator) ReplaceServiceKey(name string, hash, previous secret.Text) error {
	if err := secret.CheckHash(hash); err != nil {
		return err
	}
	if previous != "" {
		if err := secret.CheckHash(previous); err != nil {
			return err
		}
	}
	a.replacing.Lock()
	defer a.replacing.Unlock()
	list := slices.Clone(*a.serviceKeys.Load())
	i := slices.IndexFunc(list, func(k serviceKey) bool { return k.who.Subject == serviceSubject(name) })
	if i < 0 {
		return fmt.Errorf("service key %q: %w", name, errNotReplaceable)
	}
	list[i].hash, list[i].previousHash = hash, previous
	a.serviceKeys.Store(&list)
	return nil
}
