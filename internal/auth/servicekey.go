package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"casbroker/internal/check"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

const (
	// serviceKeyPrefix begins every service key.
	serviceKeyPrefix = "cbs_"
	// serviceKeyApp is the first part of the Subject of a service key, in place of a
	// verifier's name.
	serviceKeyApp = "key"
	// maxServiceKey is the maximum size of a service key, in bytes: twice the longest.
	maxServiceKey = 160
)

// ErrServiceKey is returned for a service key that is not in the settings.
var ErrServiceKey = fault.New(fault.Unauthenticated, "invalid_service_key", "The service key is not valid.").
	WithNotef("compare it with auth.service_keys")

var (
	errServiceKeyName   = errors.New("the name of a service key must be 1 to 32 of a-z, 0-9 and -")
	errServiceKeyScopes = errors.New("a service key needs some of the scopes " + strings.Join(ScopeNames(), ", "))
)

// ServiceKey is a service key as the settings have it. It is a bearer token for a service
// that cannot sign JWTs.
type ServiceKey struct {
	Name         string      // of the service: [a-z0-9-]{1,32}, unique
	Hash         secret.Text // as NewServiceKey returns it
	PreviousHash secret.Text // of the key before, which is still accepted; "" for none
	Scopes       []string    // some of ScopeNames
	ActsFor      []string    // the names of the verifiers whose users it may act for
}

// NewServiceKey makes a service key and its hash for the settings. It fails for a name or
// scopes that a ServiceKey cannot have.
func NewServiceKey(name string, scopes []string) (key secret.Text, hash string, err error) {
	switch {
	case !secret.IsKeyName(name):
		return "", "", errServiceKeyName
	case !validScopes(scopes):
		return "", "", errServiceKeyScopes
	}
	key, hash = secret.NewKey(serviceKeyPrefix, name)
	return key, hash, nil
}

// serviceKey is the compiled form of a ServiceKey.
type serviceKey struct {
	hash, previousHash secret.Text
	who                *Principal
}

// addServiceKeys validates the service keys of opts and adds them to a.
func (a *Authenticator) addServiceKeys(wrong *check.Errors, opts Options) {
	names := make(map[string]int, len(opts.ServiceKeys))
	list := make([]serviceKey, 0, len(opts.ServiceKeys))
	for i, k := range opts.ServiceKeys {
		key := fmt.Sprintf("auth.service_keys[%d]", i)
		wrong.Require(secret.IsKeyName(k.Name), key+".name", "want 1 to 32 of a-z, 0-9 and -, not %q", k.Name)
		if first, twice := names[k.Name]; twice {
			wrong.Add(key+".name", "%q is also the name of auth.service_keys[%d]; while a key is replaced, set previous_hash", k.Name, first)
		}
		names[k.Name] = i
		checkServiceHash(wrong, key+".hash", k.Hash)
		if k.PreviousHash != "" {
			checkServiceHash(wrong, key+".previous_hash", k.PreviousHash)
			wrong.Require(k.PreviousHash != k.Hash, key+".previous_hash", "want another hash than hash")
		}
		wrong.Require(validScopes(k.Scopes), key+".scopes", "want some of %s", strings.Join(ScopeNames(), ", "))
		wrong.Require(len(k.ActsFor) > 0, key+".acts_for", "required: the names of the verifiers whose users it may act for")
		list = append(list, newServiceKey(k))
		a.actsFor[serviceSubject(k.Name)] = k.ActsFor
		a.checkActsFor(wrong, key, k.ActsFor)
	}
	a.serviceKeys.Store(&list)
	if i := slices.IndexFunc(opts.Verifiers, func(v Verifier) bool { return v.Name == serviceKeyApp }); i >= 0 && len(opts.ServiceKeys) > 0 {
		wrong.Add(fmt.Sprintf("auth.verifiers[%d].name", i), "with service keys, want another name than %s, which begins the ids of services with a key", serviceKeyApp)
	}
}

// checkServiceHash adds an error about key if hash is not the hash of a service key. The
// error repeats no part of it.
func checkServiceHash(wrong *check.Errors, key string, hash secret.Text) {
	if strings.HasPrefix(hash.Reveal(), serviceKeyPrefix) {
		wrong.Add(key, "this is the key itself; want its hash, which broker service-key prints too")
	} else if secret.CheckHash(hash) != nil {
		wrong.Add(key, "want the hash that broker service-key prints (sha256: and 43 characters)")
	}
}

// serviceSubject returns the Subject of the service with a key called name.
func serviceSubject(name string) string { return serviceKeyApp + ":" + name }

func newServiceKey(k ServiceKey) serviceKey {
	who := &Principal{Subject: serviceSubject(k.Name)}
	for _, name := range k.Scopes {
		who.Scopes |= parseScope(name)
	}
	if who.Scopes == AllScopes {
		who.Roles = RoleService
	}
	return serviceKey{hash: k.Hash, previousHash: k.PreviousHash, who: who}
}

// isServiceKey reports whether a bearer token has the form of a service key, not of a JWT.
func isServiceKey(token string) bool { return strings.HasPrefix(token, serviceKeyPrefix) }

// ByServiceKey returns the Principal of the service called name if key is its key, and
// ErrServiceKey otherwise.
func (a *Authenticator) ByServiceKey(name string, key secret.Text) (*Principal, error) {
	who, err := a.byServiceKey(key.Reveal())
	if err != nil {
		return nil, err
	}
	if who.Subject != serviceSubject(name) {
		return nil, ErrServiceKey.Withf("The client_id must be the name of the service key.")
	}
	return who, nil
}

// byServiceKey returns the Principal of a service key, or ErrServiceKey. It compares key
// with every hash, in a time that does not depend on where they differ.
func (a *Authenticator) byServiceKey(key string) (*Principal, error) {
	if len(key) > maxServiceKey {
		return nil, ErrServiceKey
	}
	hash := secret.HashKey(secret.Text(key))
	var who *Principal
	for _, k := range *a.serviceKeys.Load() {
		// No short circuit: an empty previous hash equals no hash.
		if current, previous := secret.EqualHash(hash, k.hash), secret.EqualHash(hash, k.previousHash); current || previous {
			who = k.who
		}
	}
	if who == nil {
		return nil, ErrServiceKey
	}
	return who, nil
}
