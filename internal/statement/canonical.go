package statement

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// fingerprint hashes a statement in a canonical form: names in the order of
// RFC 8785, strings unescaped, numbers as exact decimals, no white space. The
// "status" and "msg" that may stand beside the sections belong to the envelope.
func fingerprint(statement jsontext.Value) (sum [32]byte, err error) {
	v := statement.Clone()
	err = v.Canonicalize(trusted, jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
	if err != nil {
		return sum, fmt.Errorf("canonical form: %w", err)
	}
	h := sha256.New()
	dec := jsontext.NewDecoder(bytes.NewBuffer(v), trusted)
	for err == nil {
		err = digest(h, dec)
	}
	if !errors.Is(err, io.EOF) {
		return sum, fmt.Errorf("canonical form: %w", err)
	}
	h.Sum(sum[:0])
	return sum, nil
}

// digest adds the next token to h.
func digest(h hash.Hash, dec *jsontext.Decoder) error {
	depth := dec.StackDepth()
	_, members := dec.StackIndex(depth)
	switch kind := dec.PeekKind(); kind {
	case '{', '}', '[', ']':
		_, err := dec.ReadToken()
		_, _ = h.Write([]byte{byte(kind)})
		return err
	case '0':
		v, err := dec.ReadValue()
		_, _ = h.Write(canonicalNumber(string(v)))
		return err
	default:
		v, err := dec.ReadValue()
		if isName := members%2 == 0; depth == 1 && isName && (string(v) == `"status"` || string(v) == `"msg"`) {
			return dec.SkipValue()
		}
		_, _ = h.Write(v)
		_, _ = h.Write([]byte{0}) // no value has one, so that neighbours cannot be told apart wrongly
		return err
	}
}

// canonicalNumber writes the same for numbers that are the same. One with an
// absurd exponent stays as it is.
func canonicalNumber(text string) []byte {
	n, ok := dissect(text)
	if !ok {
		return append([]byte(text), 0)
	}
	b := make([]byte, 0, len(n.digits)+16)
	if n.negative {
		b = append(b, '-')
	}
	b = append(b, '0')
	b = append(b, n.digits...)
	b = append(b, 'e')
	b = strconv.AppendInt(b, int64(n.exponent), 10)
	return append(b, 0)
}
