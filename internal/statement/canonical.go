package statement

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// canonicalChunk is how many bytes are hashed at a time.
const canonicalChunk = 16 << 10

// fingerprint hashes a statement in a canonical form: members in the order of
// RFC 8785, section 3.2.3, strings with as few escapes as can be, numbers as exact
// decimals, no white space. The "status" and "msg" that may stand beside the
// sections belong to the envelope.
func fingerprint(statement value) (sum [sha256.Size]byte) {
	c := canonical{hash: sha256.New(), out: make([]byte, 0, canonicalChunk+maxString)}
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
	digits  [maxNumber]byte
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

func (c *canonical) object(v value, outermost bool) {
	first := len(c.members)
	for m := range v.inner() {
		c.members = append(c.members, m.at)
	}
	c.out = append(c.out, '{')
	for _, place := range v.doc.layouts[v.node().layout].order {
		m := value{v.doc, c.members[first+int(place)]} // by index: inner objects may move the stack
		if name := m.name(); outermost && (string(name) == "status" || string(name) == "msg") {
			continue
		}
		c.name(m)
		c.value(m, false)
		c.out = append(c.out, ',')
	}
	c.out = append(c.out, '}')
	c.members = c.members[:first]
}

func (c *canonical) name(m value) {
	if m.node().escaped {
		c.out, _ = jsontext.AppendQuote(c.out, m.name())
	} else {
		c.out = append(c.out, '"')
		c.out = append(c.out, m.name()...)
		c.out = append(c.out, '"')
	}
	c.out = append(c.out, ':')
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

// number writes the same for numbers that are the same.
func (c *canonical) number(written []byte) {
	n := dissect(written, c.digits[:0])
	if n.negative {
		c.out = append(c.out, '-')
	}
	c.out = append(c.out, '0')
	c.out = append(c.out, n.digits...)
	c.out = append(c.out, 'e')
	c.out = strconv.AppendInt(c.out, int64(n.exponent), 10)
}
