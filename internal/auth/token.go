package auth

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxTokenSize is the longest token that is looked at, in bytes.
const maxTokenSize = 8 << 10

// base64url is strict, so that no two texts mean the same token.
var base64url = base64.RawURLEncoding.Strict()

// token is a JWT taken apart, nothing of it verified.
type token struct {
	header    header
	claims    claims
	signed    string // what the signature is of
	signature []byte
}

// header is what matters of a JOSE header. Keys that a token brings along or
// points at (jwk, jku, x5c, x5u) are not even decoded.
type header struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Critical  jsontext.Value `json:"crit"`
}

// parse takes a token apart. The JSON decoder refuses duplicate names, invalid
// UTF-8 and trailing data by itself.
func parse(text string) (token, error) {
	// The decoder below would skip line ends.
	if strings.ContainsAny(text, "\r\n") {
		return token{}, errMalformed
	}
	head, rest, _ := strings.Cut(text, ".")
	body, signature, _ := strings.Cut(rest, ".")
	if head == "" || body == "" || signature == "" || strings.Contains(signature, ".") {
		return token{}, errMalformed
	}
	t := token{signed: text[:len(head)+1+len(body)]}
	var err error
	if t.signature, err = base64url.DecodeString(signature); err != nil {
		return token{}, errMalformed
	}
	if t.header, err = parseHeader(head); err != nil {
		return token{}, err
	}
	t.claims, err = parseClaims(body)
	return t, err
}

func parseHeader(part string) (header, error) {
	raw, err := base64url.DecodeString(part)
	if err != nil {
		return header{}, errMalformed
	}
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return header{}, errHeader
	}
	if h.Critical != nil {
		return header{}, errCritical
	}
	return h, nil
}

func parseClaims(part string) (claims, error) {
	raw, err := base64url.DecodeString(part)
	if err != nil {
		return claims{}, errMalformed
	}
	var c claims
	if err := json.Unmarshal(raw, &c); err != nil {
		return claims{}, undecodable(err)
	}
	return c, nil
}

// undecodable names the claim of a wrong type. The names it can give are those of
// the claims struct, since members of other names are not converted.
func undecodable(err error) error {
	var typed *json.SemanticError
	if !errors.As(err, &typed) {
		return errClaims
	}
	for name := range typed.JSONPointer.Tokens() {
		return ErrInvalidToken.Withf("The token's claim %s has a type or value that it cannot have.", name)
	}
	return errClaims
}
