package auth

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"casbroker/internal/check"
	"casbroker/internal/secret"
)

// fixedKey is the only key of a verifier that has no key set. The key id of a token is
// ignored.
type fixedKey struct {
	key any
}

func (f *fixedKey) find(context.Context, string, string) (any, uint32, error) {
	return f.key, 0, nil
}

func (f *fixedKey) current(uint32, int64) bool { return true }

func (f *fixedKey) ready(int64) error { return nil }

func (f *fixedKey) start(context.Context) {}

func fixedSecret(wrong *check.Errors, key string, text secret.Text, algs []algorithm) keySource {
	if strings.Contains(text.Reveal(), "-----BEGIN") {
		wrong.Add(key, "this is a PEM file, not a secret; a public key belongs in public_key_file")
		return nil
	}
	if err := secret.CheckStrength(text); err != nil {
		wrong.Add(key, "%v", err)
	}
	return fixed(wrong, key, []byte(text.Reveal()), algs)
}

func fixedPublicKey(wrong *check.Errors, key string, text []byte, algs []algorithm) keySource {
	public, err := ParsePublicKey(text)
	if err != nil {
		wrong.Add(key, "%v", err)
		return nil
	}
	return fixed(wrong, key, public, algs)
}

func fixed(wrong *check.Errors, key string, material any, algs []algorithm) keySource {
	for _, alg := range algs {
		if err := alg.fits(material); err != nil {
			wrong.Add(key, "%v", err)
		}
	}
	return &fixedKey{key: material}
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
