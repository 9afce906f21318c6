package statement

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// What a JSON text may have, so that reading it costs little more than its bytes.
const (
	maxDepth   = 64        // arrays and objects within one another; statements need 10
	maxName    = 1 << 10   // bytes of a member's name, as it is written
	maxString  = 64 << 10  // bytes of any other string, as it is written
	maxNumber  = 400       // characters of a number: a double written out has 309 digits
	maxMembers = 10_000    // of one object; statements need 30
	maxValues  = 1_000_000 // of all kinds; a statement has one for each 18 bytes
)

// document is a JSON text taken apart in one go, so that it can be walked in any
// order without being read again. Nodes stand in the order of the text.
type document struct {
	text    []byte
	nodes   []node
	layouts []layout // of its objects

	footholds map[uint32]foothold // of the last pointer, by what they are in
}

// node is one value of a document. A large statement has hundreds of thousands, so
// that two fields mean something else for what has no text of its own.
type node struct {
	start      uint32 // where in text it begins; of an object which layout it has
	end        uint32 // where in text it ends; of an array or object the node after all that is in it
	name       uint32 // where in text the name of a member begins, past its quote
	nameLength uint16
	escaped    bool // the name has escapes
	kind       jsontext.Kind
}

// take takes a JSON text apart (RFC 8259). It passes one that is valid UTF-8 with no
// lone surrogates, has no name twice in an object, stays within the limits above,
// and holds no U+0000, which PostgreSQL cannot keep. Its errors show nothing of
// the text.
func take(text []byte) (*document, error) {
	if len(bytes.TrimLeft(text, space)) == 0 {
		return nil, errJSON.Withf("The body is empty; send what the widget gave to onSuccess.")
	}
	values := 1 + bytes.Count(text, []byte(",")) + bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
	t := taker{
		dec:     jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true)), // layouts tells of them
		doc:     &document{text: text, nodes: make([]node, 0, min(values, maxValues))},
		escapes: bytes.IndexByte(text, '\\') >= 0,
	}
	for {
		if err := t.step(); err != nil {
			return nil, err
		}
		if t.depth == 0 {
			break
		}
	}
	if rest := bytes.TrimLeft(text[t.dec.InputOffset():], space); len(rest) > 0 {
		return nil, wrong(text, len(text)-len(rest), "something follows the JSON text")
	}
	return t.doc, nil
}

// next is the node that follows the one in this place and all that is in it.
func (d *document) next(at uint32) uint32 {
	if n := &d.nodes[at]; n.kind == '{' || n.kind == '[' {
		return n.end
	}
	return at + 1
}

// taker takes a document apart, token after token.
type taker struct {
	dec     *jsontext.Decoder
	doc     *document
	escapes bool        // there are some in the text
	named   node        // has the name of the member whose value comes next
	likely  [128]uint32 // layouts, by likeness
	depth   int
	open    [maxDepth]struct {
		at      uint32 // the node
		members int
	}
}

// step takes the next name or value, or the end of an array or object.
func (t *taker) step() error {
	kind := t.dec.PeekKind()
	switch kind {
	case '{', '[':
		return t.begin(kind)
	case '}', ']':
		return t.end(kind)
	}
	raw, err := t.dec.ReadValue()
	if err != nil {
		return syntax(t.doc.text, err)
	}
	end := t.offset()
	start := end - uint32(len(raw)) //nolint:gosec // a body has less than 4 GiB
	if kind == '"' && t.atName() {
		return t.name(raw, start)
	}
	if what := unfit(kind, raw, t.escapes); what != "" {
		return wrong(t.doc.text, int(start), what)
	}
	return t.add(node{start: start, end: end, kind: kind})
}

// begin opens an array or an object.
func (t *taker) begin(kind jsontext.Kind) error {
	if t.depth == maxDepth {
		return wrong(t.doc.text, int(t.dec.InputOffset()), "arrays and objects are nested too deep")
	}
	if _, err := t.dec.ReadToken(); err != nil {
		return syntax(t.doc.text, err)
	}
	t.open[t.depth].at, t.open[t.depth].members = t.count(), 0
	t.depth++
	return t.add(node{kind: kind})
}

// end closes an array or an object.
func (t *taker) end(kind jsontext.Kind) error {
	if _, err := t.dec.ReadToken(); err != nil {
		return syntax(t.doc.text, err)
	}
	t.depth--
	in := &t.open[t.depth]
	n := &t.doc.nodes[in.at]
	n.end = t.count()
	if kind == ']' {
		return nil
	}
	found, twice := t.layOut(value{t.doc, in.at}, in.members)
	if twice.kind() != 0 {
		return wrong(t.doc.text, int(twice.node().name)-1, "an object has the same name twice")
	}
	n.start = found
	return nil
}

// add adds a value, a member's if a name went before it.
func (t *taker) add(n node) error {
	if len(t.doc.nodes) == maxValues {
		return wrong(t.doc.text, int(t.offset()), "there are more than 1000000 values")
	}
	n.name, n.nameLength, n.escaped = t.named.name, t.named.nameLength, t.named.escaped
	t.named = node{}
	t.doc.nodes = append(t.doc.nodes, n)
	return nil
}

// atName reports whether the string that was read last is a name.
func (t *taker) atName() bool {
	in, index := t.dec.StackIndex(t.dec.StackDepth())
	return in == '{' && index%2 == 1
}

// name notes a name for the value that follows.
func (t *taker) name(raw []byte, start uint32) error {
	in := &t.open[t.depth-1]
	in.members++
	switch {
	case in.members > maxMembers:
		return wrong(t.doc.text, int(start), "an object has more than 10000 members")
	case len(raw) > maxName+2:
		return wrong(t.doc.text, int(start), "a name has more than 1024 bytes")
	case t.escapes && hasNUL(raw):
		return wrong(t.doc.text, int(start), noNUL)
	}
	t.named = node{name: start + 1, nameLength: uint16(len(raw) - 2), escaped: t.escapes && bytes.IndexByte(raw, '\\') >= 0} //nolint:gosec // 1024 at most
	return nil
}

func (t *taker) offset() uint32 { return uint32(t.dec.InputOffset()) } //nolint:gosec // a body has less than 4 GiB

func (t *taker) count() uint32 { return uint32(len(t.doc.nodes)) } //nolint:gosec // maxValues at most
