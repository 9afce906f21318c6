package statement

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// canonicalChunk is how many bytes are hashed at a time.
const canonicalChunk = 8 << 10

// fingerprint hashes a statement in a canonical form: members in the order of
// RFC 8785, section 3.2.3, strings with as few escapes as can be, numbers as exact
// decimals, no white space. Before it stands the issuer, whom the envelope may name.
// What else of the envelope may stand beside the sections is left out.
func fingerprint(issuer CASType, statement value) (sum [sha256.Size]byte) {
	c := canonical{hash: sha256.New(), out: make([]byte, 0, 2*canonicalChunk)}
	c.out = append(append(c.out, issuer...), '\n')
	c.value(statement, true)
	_, _ = c.hash.Write(c.out)
	c.hash.Sum(sum[:0])
	return sum
}

// canonical writes the canonical form into a hash.
type canonical struct {
	hash    hash.Hash
	out     []byte   // to be hashed
	members []uint32 // nodes, of the objects that are open: a stack
	room    [4 * maxNumber]byte
}

func (c *canonical) value(v value, outermost bool) {
	if len(c.out) > canonicalChunk {
		_, _ = c.hash.Write(c.out)
		c.out = c.out[:0]
	}
	switch v.kind() {
	case '{':
		c.object(v, outermost)
	case '[':
		c.out = append(c.out, '[')
		for e := range v.inner() {
			c.value(e, false)
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

// enveloping are the members of an envelope, which may be around nothing.
var enveloping = []string{"status", "msg", "metadata", "data", "raw_response"}

func (c *canonical) object(v value, outermost bool) {
	first := len(c.members)
	for m := range v.inner() {
		c.members = append(c.members, m.at)
	}
	l := &v.doc.layouts[v.node().start]
	c.out = append(c.out, '{')
	for i, place := range l.order {
		if outermost && slices.Contains(enveloping, string(l.names[place])) {
			continue
		}
		c.out = append(c.out, l.heads[i]...)
		c.value(value{v.doc, c.members[first+int(place)]}, false) // by index: inner objects may move the stack
		c.out = append(c.out, ',')
	}
	c.out = append(c.out, '}')
	c.members = c.members[:first]
}

// text writes a quoted string with as few escapes as can be.
func (c *canonical) text(raw []byte) {
	if bytes.IndexByte(raw, '\\') < 0 {
		c.out = append(c.out, raw...)
		return
	}
	plain, _ := jsontext.AppendUnquote(nil, raw) // take has passed it
	c.out, _ = jsontext.AppendQuote(c.out, plain)
}

// number writes the same for numbers that are the same: all digits, no exponent,
// no zeros at the end of a fraction.
func (c *canonical) number(written []byte) {
	if exponentAt(written) >= 0 {
		n := dissect(written, c.room[:0])
		written = n.appendPlain(c.room[len(c.room)/2:][:0])
	}
	if bytes.IndexByte(written, '.') >= 0 {
		written = bytes.TrimRight(bytes.TrimRight(written, "0"), ".")
	}
	if string(written) == "-0" {
		written = written[1:]
	}
	c.out = append(c.out, written...)
}
