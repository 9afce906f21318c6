package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// The sizes of accepted RSA keys, in bits. The lower bound is RFC 7518's (section
// 3.3); the upper one bounds the time that a verification takes.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// algorithm is a signature algorithm. At most one of secretBytes, rsa and curveBits is
// set, none for Ed25519; it determines the type of key that the algorithm uses.
type algorithm struct {
	method      jwt.SigningMethod
	secretBytes int // HMAC: minimum size of the secret (RFC 7518, section 3.2)
	rsa         bool
	curveBits   int // ECDSA: size of the curve
}

// algorithms lacks "none", so no setting can allow it.
var algorithms = map[string]algorithm{
	"HS256": {method: jwt.SigningMethodHS256, secretBytes: 32},
	"HS384": {method: jwt.SigningMethodHS384, secretBytes: 48},
	"HS512": {method: jwt.SigningMethodHS512, secretBytes: 64},
	"RS256": {method: jwt.SigningMethodRS256, rsa: true},
	"RS384": {method: jwt.SigningMethodRS384, rsa: true},
	"RS512": {method: jwt.SigningMethodRS512, rsa: true},
	"PS256": {method: jwt.SigningMethodPS256, rsa: true},
	"PS384": {method: jwt.SigningMethodPS384, rsa: true},
	"PS512": {method: jwt.SigningMethodPS512, rsa: true},
	"ES256": {method: jwt.SigningMethodES256, curveBits: 256},
	"ES384": {method: jwt.SigningMethodES384, curveBits: 384},
	"ES512": {method: jwt.SigningMethodES512, curveBits: 521},
	"EdDSA": {method: jwt.SigningMethodEdDSA},
}

// Algorithms returns the names that Verifier.Algorithms may hold, sorted.
func Algorithms() []string { return slices.Sorted(maps.Keys(algorithms)) }

func (a algorithm) name() string { return a.method.Alg() }

func (a algorithm) symmetric() bool { return a.secretBytes > 0 }

// fits returns an error if key cannot be used with the algorithm.
func (a algorithm) fits(key any) error {
	switch k := key.(type) {
	case []byte:
		if !a.symmetric() {
			return a.mismatch("a secret")
		}
		if len(k) < a.secretBytes {
			return fmt.Errorf("%s needs a secret of %d bytes or more, this one has %d", a.name(), a.secretBytes, len(k))
		}
	case *rsa.PublicKey:
		if !a.rsa {
			return a.mismatch("an RSA key")
		}
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("an RSA key must have %d to %d bits, this one has %d", minRSABits, maxRSABits, bits)
		}
	case *ecdsa.PublicKey:
		if bits := k.Curve.Params().BitSize; bits != a.curveBits {
			return a.mismatch(fmt.Sprintf("an EC key of %d bits", bits))
		}
	case ed25519.PublicKey:
		if a.method != jwt.SigningMethodEdDSA {
			return a.mismatch("an Ed25519 key")
		}
	default:
		return errors.New("unknown type of key")
	}
	return nil
}

func (a algorithm) mismatch(key string) error {
	return fmt.Errorf("%s cannot be used with %s", a.name(), key)
}
