package statement

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxPointer is how much of a place is told, in bytes.
const maxPointer = 256

// value is one value of a document. The zero value is absent, and of no kind.
type value struct {
	doc *document
	at  uint32 // its node
}

func (d *document) root() value { return value{d, 0} }

// elements counts those of all arrays that are called by one of names.
func (d *document) elements(names ...string) int {
	count := 0
	for at := range d.nodes {
		if d.nodes[at].kind != '[' {
			continue
		}
		list := value{d, uint32(at)}
		if slices.Contains(names, string(list.name())) {
			for range list.inner() {
				count++
			}
		}
	}
	return count
}

func (v value) node() *node { return &v.doc.nodes[v.at] }

// kind is '{', '[', '"', '0', 't', 'f' or 'n', and 0 of an absent value.
func (v value) kind() jsontext.Kind {
	if v.doc == nil {
		return 0
	}
	return v.node().kind
}

// stated reports whether v is there and not null.
func (v value) stated() bool { return v.kind() != 0 && v.kind() != 'n' }

// raw is v as it is written, if it is neither an array nor an object.
func (v value) raw() []byte {
	n := v.node()
	return v.doc.text[n.start:n.end]
}

// text is the string that v is, "" if it is none.
func (v value) text() string {
	if v.kind() != '"' {
		return ""
	}
	raw := v.raw()
	return unescaped(raw[1:len(raw)-1], bytes.IndexByte(raw, '\\') >= 0)
}

// inner goes through the values directly in v.
func (v value) inner() iter.Seq[value] {
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

// name is the name of a member, as bytes that are not to be changed.
func (v value) name() []byte {
	n := v.node()
	written := v.doc.text[n.name : n.name+uint32(n.nameLength)]
	if n.escaped {
		return []byte(unescaped(written, true))
	}
	return written
}

// members goes through the members of the object v, with their names.
func (v value) members() iter.Seq2[[]byte, value] {
	return func(yield func([]byte, value) bool) {
		if v.kind() != '{' {
			return
		}
		for m := range v.inner() {
			if !yield(m.name(), m) {
				return
			}
		}
	}
}

// member returns the member of the object v that is called name, absent if there is none.
func (v value) member(name string) value {
	for n, m := range v.members() {
		if string(n) == name {
			return m
		}
	}
	return value{}
}

// pointer is where v stands in the document (RFC 6901), cut where it is very long.
func (v value) pointer() string {
	var b strings.Builder
	for at := uint32(0); at != v.at; {
		in := v.doc.nodes[at].kind
		f := v.doc.toward(at, v.at)
		b.WriteByte('/')
		if in == '{' {
			b.WriteString(pointerEscapes.Replace(string(value{v.doc, f.at}.name())))
		} else {
			b.WriteString(strconv.Itoa(f.place))
		}
		at = f.at
	}
	if b.Len() > maxPointer {
		return strings.ToValidUTF8(b.String()[:maxPointer], "")
	}
	return b.String()
}

// foothold is a node and its place among those that are in the same one.
type foothold struct {
	at    uint32
	place int
}

// toward finds the node directly in another one that is or holds the target. It
// goes on from the one found last, as a million before it may take long to count
// for each of a thousand findings.
func (d *document) toward(in, target uint32) foothold {
	f, ok := d.footholds[in]
	if !ok || f.at > target {
		f = foothold{at: in + 1}
	}
	for d.next(f.at) <= target {
		f.at, f.place = d.next(f.at), f.place+1
	}
	if d.footholds == nil {
		d.footholds = map[uint32]foothold{}
	}
	d.footholds[in] = f
	return f
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// unescaped is a string without its quotes.
func unescaped(written []byte, escaped bool) string {
	if !escaped {
		return string(written)
	}
	quoted := append(append([]byte{'"'}, written...), '"')
	plain, _ := jsontext.AppendUnquote(nil, quoted) // take has passed it
	return string(plain)
}
