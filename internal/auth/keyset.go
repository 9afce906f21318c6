package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/MicahParks/jwkset"
)

// maxKeys is the maximum number of keys in a set.
const maxKeys = 100

// keyName identifies a key. RFC 7517 lets keys of different types share an id, so the
// id alone is not enough.
type keyName struct{ kid, alg string }

// keySet holds the usable keys of a JWK set. It does not change once it is in use.
type keySet struct {
	named map[keyName]any
	sole  map[string]any // by alg, for tokens without kid: the only key, nil if there are several

	generation uint32 // number of earlier key sets of this verifier
}

// newKeySet parses a JWK set (RFC 7517, section 5) and leaves out keys that none of algs
// can use. The error says why keys were left out, also if none is left; the set is nil for a
// document that is not a JWK set.
func newKeySet(text []byte, algs []algorithm) (*keySet, error) {
	var document struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("not a JWK set: %w", err)
	}
	if document.Keys == nil {
		return nil, errors.New("not a JWK set: it has no keys member")
	}
	keys := *document.Keys
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("the set has %d keys, more than %d", len(keys), maxKeys)
	}
	set := &keySet{named: make(map[keyName]any), sole: make(map[string]any)}
	var leftOut []error
	for i, raw := range keys {
		if err := set.add(raw, algs); err != nil {
			leftOut = append(leftOut, fmt.Errorf("key %d: %w", i, err))
		}
	}
	if len(set.named) == 0 {
		leftOut = append(leftOut, errors.New("no usable key in the set"))
	}
	return set, errors.Join(leftOut...)
}

func (s *keySet) add(raw []byte, algs []algorithm) error {
	var fields jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &fields); err != nil {
		return errors.New("not a JWK")
	}
	if err := checkUsage(fields); err != nil {
		return err
	}
	// Certificates add no trust to a key that came over TLS, and some are malformed.
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
			s.put(keyName{kid: fields.KID, alg: alg.name()}, key.Key())
		}
	}
	if len(unfit) == len(algs) {
		return errors.Join(unfit...)
	}
	return nil
}

// checkUsage returns an error if the key must not verify signatures. A secret or a
// private key in a public document is known to everyone.
func checkUsage(k jwkset.JWKMarshal) error {
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

func (s *keySet) put(name keyName, key any) {
	if _, there := s.named[name]; there && name.kid != "" {
		return // the first of two keys with one name counts
	}
	s.named[name] = key
	if _, there := s.sole[name.alg]; there {
		key = nil
	}
	s.sole[name.alg] = key
}

// same reports whether both sets hold the same keys.
func (s *keySet) same(other *keySet) bool {
	return reflect.DeepEqual(s.named, other.named) && reflect.DeepEqual(s.sole, other.sole)
}

// find returns the key with that name, errKeyID or errNoKeyID.
func (s *keySet) find(name keyName) (any, error) {
	if name.kid != "" {
		if key, ok := s.named[name]; ok {
			return key, nil
		}
		return nil, errKeyID
	}
	key, ok := s.sole[name.alg]
	switch {
	case !ok:
		return nil, errKeyID
	case key == nil:
		return nil, errNoKeyID
	}
	return key, nil
}
