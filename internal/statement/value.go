package statement

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxPointer is the length in bytes at which a JSON pointer is cut.
const maxPointer = 256

// value is one value of a document. The zero value is absent and has no kind.
type value struct {
	doc *document
	at  uint32 // the index of its node
}

// root returns the outermost value.
func (d *document) root() value { return value{d, 0} }

// countElements counts the elements of all arrays that are members with one of names.
func (d *document) countElements(names ...string) int {
	count := 0
	for at := range d.nodes {
		if d.nodes[at].kind != '[' {
			continue
		}
		list := value{d, uint32(at)}
		if slices.Contains(names, string(list.name())) {
			for range list.children() {
				count++
			}
		}
	}
	return count
}

func (v value) node() *node { return &v.doc.nodes[v.at] }

// kind returns '{', '[', '"', '0', 't', 'f' or 'n', and 0 for an absent value.
func (v value) kind() jsontext.Kind {
	if v.doc == nil {
		return 0
	}
	return v.node().kind
}

// present reports whether v is neither absent nor null.
func (v value) present() bool { return v.kind() != 0 && v.kind() != 'n' }

// raw returns the JSON text of v, which must not be an array or object.
func (v value) raw() []byte {
	n := v.node()
	return v.doc.text[n.start:n.end]
}

// text returns the string that v is, "" for another kind.
func (v value) text() string {
	if v.kind() != '"' {
		return ""
	}
	raw := v.raw()
	return unescape(raw[1:len(raw)-1], bytes.IndexByte(raw, '\\') >= 0)
}

// children iterates over the elements of an array or the values in an object.
func (v value) children() iter.Seq[value] {
	return func(yield func(value) bool) {
		if v.kind() != '{' && v.kind() != '[' {
			return
		}
		for at, end := v.at+1, v.node().end; at < end; at = v.doc.next(at) {
			if !yield(value{v.doc, at}) {
				return
			}
		}
	}
}

// name returns the name of v in its object. The bytes must not be changed.
func (v value) name() []byte {
	n := v.node()
	raw := v.doc.text[n.name : n.name+uint32(n.nameLength)]
	if n.escaped {
		return []byte(unescape(raw, true))
	}
	return raw
}

// members iterates over the members of the object v with their names.
func (v value) members() iter.Seq2[[]byte, value] {
	return func(yield func([]byte, value) bool) {
		if v.kind() != '{' {
			return
		}
		for m := range v.children() {
			if !yield(m.name(), m) {
				return
			}
		}
	}
}

// member returns the member of the object v with this name, or an absent value.
func (v value) member(name string) value {
	for n, m := range v.members() {
		if string(n) == name {
			return m
		}
	}
	return value{}
}

// pointer returns the JSON pointer of v (RFC 6901), cut at maxPointer bytes.
func (v value) pointer() string {
	var b strings.Builder
	for at := uint32(0); at != v.at; {
		kind := v.doc.nodes[at].kind
		c := v.doc.childToward(at, v.at)
		b.WriteByte('/')
		if kind == '{' {
			b.WriteString(pointerEscapes.Replace(string(value{v.doc, c.at}.name())))
		} else {
			b.WriteString(strconv.Itoa(c.index))
		}
		at = c.at
	}
	return cutPointer(b.String())
}

// cutPointer cuts a JSON pointer at maxPointer bytes.
func cutPointer(pointer string) string {
	if len(pointer) > maxPointer {
		return strings.ToValidUTF8(pointer[:maxPointer], "")
	}
	return pointer
}

// child is a node and its index among the children of its parent.
type child struct {
	at    uint32
	index int
}

// childToward returns the child of parent that is or contains the node target. It
// starts from the child that the last call returned for parent: with a million
// elements and a thousand findings, counting from the first would take long.
func (d *document) childToward(parent, target uint32) child {
	c, ok := d.lastChild[parent]
	if !ok || c.at > target {
		c = child{at: parent + 1}
	}
	for d.next(c.at) <= target {
		c.at, c.index = d.next(c.at), c.index+1
	}
	if d.lastChild == nil {
		d.lastChild = map[uint32]child{}
	}
	d.lastChild[parent] = c
	return c
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// unescape returns a string from its raw text without quotes.
func unescape(raw []byte, escaped bool) string {
	if !escaped {
		return string(raw)
	}
	quoted := append(append([]byte{'"'}, raw...), '"')
	text, _ := jsontext.AppendUnquote(nil, quoted) // parseDocument has accepted it
	return string(text)
}
