package auth

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxTokenSize is the maximum size of a token, in bytes. Issuers that list a user's groups
// make tokens of 12 KiB.
const MaxTokenSize = 16 << 10

// base64url is strict, so that every token has one encoding.
var base64url = base64.RawURLEncoding.Strict()

// token is a parsed JWT. None of it is verified.
type token struct {
	header    header
	claims    claims
	signed    string // the signed part of the text
	signature []byte
}

// header is the decoded part of a JOSE header. Keys that a token contains or refers to
// (jwk, jku, x5c, x5u) are never decoded.
type header struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Critical  jsontext.Value `json:"crit"`
}

// parse parses a token. The JSON decoder refuses duplicate names, invalid UTF-8 and
// trailing data.
func parse(text string) (token, error) {
	// The base64 decoder would skip line ends.
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
		return claims{}, claimsError(err)
	}
	return c, nil
}

// claimsError returns a fault that names the claim of a wrong type. Only names of the
// fields of claims occur, since other members are not converted.
func claimsError(err error) error {
	var typed *json.SemanticError
	if !errors.As(err, &typed) {
		return errClaims
	}
	for name := range typed.JSONPointer.Tokens() {
		return wrongClaim(name)
	}
	return errClaims
}

// wrongClaim returns the fault of a token whose claim name has a wrong type.
func wrongClaim(name string) error {
	return errClaims.Withf("The token's claim %s has a type or value that it cannot have.", name)
}
