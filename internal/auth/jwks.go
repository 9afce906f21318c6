package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/MicahParks/jwkset"
)

// maxKeys is how many keys of one set are looked at.
const maxKeys = 100

// keyName is how a token names a key: RFC 7517 lets keys of different kinds share
// an id, so the id alone is not enough.
type keyName struct{ kid, alg string }

// keyRing is the usable keys of one key set. It never changes once it is in force.
type keyRing struct {
	named map[keyName]any
	sole  map[string]any // by alg, for tokens without kid: the only such key, nil if there are several

	generation uint32 // how many rings of this verifier came before
}

// newKeyRing reads a JWK set (RFC 7517, section 5), leaving out keys that none of
// algs can use. The error tells why keys were left out; the ring is nil when not
// one is left.
func newKeyRing(set []byte, algs []algorithm) (*keyRing, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &document); err != nil {
		return nil, fmt.Errorf("not a JWK set: %w", err)
	}
	if len(document.Keys) > maxKeys {
		return nil, fmt.Errorf("the set has %d keys, more than %d", len(document.Keys), maxKeys)
	}
	ring := &keyRing{named: make(map[keyName]any), sole: make(map[string]any)}
	var left []error
	for i, raw := range document.Keys {
		if err := ring.add(raw, algs); err != nil {
			left = append(left, fmt.Errorf("key %d: %w", i, err))
		}
	}
	if len(ring.named) == 0 {
		return nil, errors.Join(append(left, errors.New("no usable key in the set"))...)
	}
	return ring, errors.Join(left...)
}

func (r *keyRing) add(raw []byte, algs []algorithm) error {
	var fields jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &fields); err != nil {
		return errors.New("not a JWK")
	}
	if err := forSigning(fields); err != nil {
		return err
	}
	// Certificates add nothing to a key that came over TLS, and some are out of order.
	fields.X5U, fields.X5C, fields.X5T, fields.X5TS256 = "", nil, "", ""
	key, err := jwkset.NewJWKFromMarshal(fields, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return fmt.Errorf("not usable: %w", err)
	}
	var unfit []error
	for _, alg := range algs {
		switch err := alg.fits(key.Key()); {
		case fields.ALG != "" && fields.ALG.String() != alg.name():
			unfit = append(unfit, fmt.Errorf("not for %s (alg)", alg.name()))
		case err != nil:
			unfit = append(unfit, err)
		default:
			r.put(keyName{kid: fields.KID, alg: alg.name()}, key.Key())
		}
	}
	if len(unfit) == len(algs) {
		return errors.Join(unfit...)
	}
	return nil
}

// forSigning returns why the key must not verify signatures. A shared secret in a
// public document is none, and a private key there is everybody's.
func forSigning(k jwkset.JWKMarshal) error {
	switch {
	case k.KTY == jwkset.KtyOct || k.K != "":
		return errors.New("a symmetric key (oct) in a public key set is never used")
	case k.D != "":
		return errors.New("a private key in a public key set is never used")
	case k.USE != "" && k.USE != jwkset.UseSig:
		return errors.New("not for signatures (use)")
	case len(k.KEYOPS) > 0 && !slices.Contains(k.KEYOPS, jwkset.KeyOpsVerify):
		return errors.New("not for verifying (key_ops)")
	}
	return nil
}

func (r *keyRing) put(name keyName, key any) {
	if _, there := r.named[name]; there && name.kid != "" {
		return // two keys of one name: the first counts
	}
	r.named[name] = key
	if _, there := r.sole[name.alg]; there {
		key = nil
	}
	r.sole[name.alg] = key
}

// same reports whether both rings hold the same keys.
func (r *keyRing) same(other *keyRing) bool {
	return reflect.DeepEqual(r.named, other.named) && reflect.DeepEqual(r.sole, other.sole)
}

// find returns the key of that name. The errors are errKeyID and errNoKeyID.
func (r *keyRing) find(name keyName) (any, error) {
	if name.kid != "" {
		if key, ok := r.named[name]; ok {
			return key, nil
		}
		return nil, errKeyID
	}
	key, ok := r.sole[name.alg]
	switch {
	case !ok:
		return nil, errKeyID
	case key == nil:
		return nil, errNoKeyID
	}
	return key, nil
}
