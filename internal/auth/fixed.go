package auth

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"casbroker/internal/check"
	"casbroker/internal/secret"
)

// fixedKeys are the keys of a verifier that has no key set: its secrets, or its public key.
// The key id of a token is ignored: each key is tried.
type fixedKeys struct {
	state atomic.Pointer[fixedState]
}

// fixedState does not change once it is in use.
type fixedState struct {
	keys       []any
	generation uint32 // number of earlier states of this verifier
}

func newFixedKeys(keys []any) *fixedKeys {
	f := &fixedKeys{}
	f.state.Store(&fixedState{keys: keys})
	return f
}

// replace puts other keys into use. Calls must not be concurrent.
func (f *fixedKeys) replace(keys []any) {
	f.state.Store(&fixedState{keys: keys, generation: f.state.Load().generation + 1})
}

func (f *fixedKeys) find(context.Context, string, string) ([]any, uint32, error) {
	s := f.state.Load()
	return s.keys, s.generation, nil
}

func (f *fixedKeys) current(generation uint32, _ int64) bool {
	return f.state.Load().generation == generation
}

func (f *fixedKeys) ready(int64) error { return nil }

func (f *fixedKeys) start(context.Context) {}

// fixedSecrets returns the keys of the settings secret or secrets, and adds an error about
// key for each that cannot be used.
func fixedSecrets(wrong *check.Errors, key string, s Verifier, algs []algorithm) keySource {
	if s.Secret != "" {
		addErrors(wrong, key+".secret", checkSecret(s.Secret, algs))
		return newFixedKeys(keysOf([]secret.Text{s.Secret}))
	}
	for i, text := range s.Secrets {
		addErrors(wrong, fmt.Sprintf("%s.secrets[%d]", key, i), checkSecret(text, algs))
	}
	return newFixedKeys(keysOf(s.Secrets))
}

func keysOf(secrets []secret.Text) []any {
	keys := make([]any, len(secrets))
	for i, text := range secrets {
		keys[i] = []byte(text.Reveal())
	}
	return keys
}

func addErrors(wrong *check.Errors, key string, errs []error) {
	for _, err := range errs {
		wrong.Add(key, "%v", err)
	}
}

// checkSecret returns what is wrong with a secret for algs.
func checkSecret(text secret.Text, algs []algorithm) (errs []error) {
	switch {
	case text == "":
		return []error{errors.New("required")}
	case strings.Contains(text.Reveal(), "-----BEGIN"):
		return []error{errors.New("this is a PEM file, not a secret; a public key belongs in public_key_file")}
	}
	if err := secret.CheckStrength(text); err != nil {
		errs = append(errs, err)
	}
	return append(errs, unfit([]byte(text.Reveal()), algs)...)
}

func fixedPublicKey(wrong *check.Errors, key string, text []byte, algs []algorithm) keySource {
	public, errs := checkPublicKey(text, algs)
	addErrors(wrong, key, errs)
	return newFixedKeys([]any{public})
}

// checkPublicKey returns the public key in a PEM file, or what is wrong with it for algs.
func checkPublicKey(text []byte, algs []algorithm) (any, []error) {
	public, err := ParsePublicKey(text)
	if err != nil {
		return nil, []error{err}
	}
	return public, unfit(public, algs)
}

// unfit returns why key cannot be used with each of algs.
func unfit(key any, algs []algorithm) (errs []error) {
	for _, alg := range algs {
		if err := alg.fits(key); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// ParsePublicKey parses a PEM file that holds one public key ("PUBLIC KEY" or "RSA
// PUBLIC KEY"). It returns an error for private keys, certificates and several keys.
func ParsePublicKey(text []byte) (any, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("this is not a PEM file")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, errors.New("the file holds more than one key; want the public key of the issuer alone")
	}
	switch {
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("the file holds a private key, which only the issuer may have; " +
			"give the public key (openssl pkey -in private.pem -pubout)")
	case block.Type == "PUBLIC KEY":
		return parsed(x509.ParsePKIXPublicKey(block.Bytes))
	case block.Type == "RSA PUBLIC KEY":
		return parsed(x509.ParsePKCS1PublicKey(block.Bytes))
	default:
		return nil, fmt.Errorf("the file holds a %q; want a \"PUBLIC KEY\"", block.Type)
	}
}

// parsed replaces the parser's error, which may quote the file.
func parsed[K any](key K, err error) (any, error) {
	if err != nil {
		return nil, errors.New("the public key in the file cannot be read")
	}
	return key, nil
}
