package statement

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// canonicalChunk is the number of bytes that are hashed at a time.
const canonicalChunk = 8 << 10

// fingerprint returns the SHA-256 of a statement in a canonical form: members in the
// order of RFC 8785, section 3.2.3, strings with as few escapes as possible, numbers as
// exact decimals, no white space. The form starts with the issuer, which may be named
// in the envelope only. Other members of an envelope next to the sections are left out, and
// generated_at, which differs each time the same PDF is parsed.
func fingerprint(issuer CASType, statement value) (sum [sha256.Size]byte) {
	c := canonicalHash{hash: sha256.New(), out: make([]byte, 0, 2*canonicalChunk)}
	c.out = append(append(c.out, issuer...), '\n')
	c.value(statement, outermost)
	_, _ = c.hash.Write(c.out)
	c.hash.Sum(sum[:0])
	return sum
}

// canonicalHash writes the canonical form into a hash.
type canonicalHash struct {
	hash    hash.Hash
	out     []byte   // not hashed yet
	members []uint32 // a stack: the nodes of the members of all open objects
	buf     [4 * maxNumber]byte
}

// level is where in a statement a value is.
type level int

const (
	inner level = iota
	outermost
	inMeta
)

// value writes v.
func (c *canonicalHash) value(v value, at level) {
	if len(c.out) > canonicalChunk {
		_, _ = c.hash.Write(c.out)
		c.out = c.out[:0]
	}
	switch v.kind() {
	case '{':
		c.object(v, at)
	case '[':
		c.out = append(c.out, '[')
		for e := range v.children() {
			c.value(e, inner)
			c.out = append(c.out, ',')
		}
		c.out = append(c.out, ']')
	case '"':
		c.text(v.raw())
	case '0':
		c.number(v.raw())
	default:
		c.out = append(c.out, v.raw()...)
	}
}

// envelopeMembers are the members of an envelope, which may also be next to the sections.
var envelopeMembers = []string{"status", "msg", "metadata", "data", "raw_response"}

// object writes an object with its members sorted.
func (c *canonicalHash) object(v value, at level) {
	first := len(c.members)
	for m := range v.children() {
		c.members = append(c.members, m.at)
	}
	l := &v.doc.layouts[v.node().start]
	c.out = append(c.out, '{')
	for i, n := range l.order {
		name := string(l.names[n])
		if at == outermost && slices.Contains(envelopeMembers, name) || at != inner && name == "generated_at" {
			continue
		}
		below := inner
		if at == outermost && name == "meta" {
			below = inMeta
		}
		c.out = append(c.out, l.heads[i]...)
		c.value(value{v.doc, c.members[first+int(n)]}, below) // by index, because inner objects may reallocate the stack
		c.out = append(c.out, ',')
	}
	c.out = append(c.out, '}')
	c.members = c.members[:first]
}

// text writes a quoted string with as few escapes as possible.
func (c *canonicalHash) text(raw []byte) {
	if bytes.IndexByte(raw, '\\') < 0 {
		c.out = append(c.out, raw...)
		return
	}
	plain, _ := jsontext.AppendUnquote(nil, raw) // parseDocument has accepted it
	c.out, _ = jsontext.AppendQuote(c.out, plain)
}

// number writes equal numbers equally: all digits, no exponent, no zeros at the end of
// the fraction.
func (c *canonicalHash) number(raw []byte) {
	if exponentIndex(raw) >= 0 {
		n := parseNumber(raw, c.buf[:0])
		raw = n.appendPlain(c.buf[len(c.buf)/2:][:0])
	}
	if bytes.IndexByte(raw, '.') >= 0 {
		raw = bytes.TrimRight(bytes.TrimRight(raw, "0"), ".")
	}
	if string(raw) == "-0" {
		raw = raw[1:]
	}
	c.out = append(c.out, raw...)
}
