package statement

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The limits of a JSON text. They keep the cost of reading it close to its size.
const (
	maxDepth   = 64        // nested arrays and objects; statements need 10
	maxName    = 1 << 10   // bytes of a member's name, as written
	maxString  = 64 << 10  // bytes of any other string, as written, with its quotes
	maxNumber  = 400       // characters of a number; a double written out has 309 digits
	maxMembers = 10_000    // of one object; statements need 30
	maxValues  = 1_000_000 // of all kinds; a statement has one for each 18 bytes
)

// document is the tree of a JSON text, built in one pass. It can be walked in any order
// without reading the text again. The nodes are in the order of the text.
type document struct {
	text  []byte
	nodes []node

	lastChild map[uint32]child // by parent: where childToward continues
}

// node is one value of a document. A large statement has hundreds of thousands, so
// objects and arrays use end for something else to keep a node small.
type node struct {
	start      uint32 // where its text starts; 0 for an array or object
	end        uint32 // where its text ends; for an array or object the index of the node after its last descendant
	name       uint32 // for a member: where its name starts in the text, after the quote
	nameLength uint16
	escaped    bool // the name has escapes
	kind       jsontext.Kind
}

// parseDocument parses a JSON text (RFC 8259). The text must be valid UTF-8 without lone
// surrogates and must not have a name twice in an object, or the error is errJSON. It must
// stay within the limits above and must not contain U+0000, which PostgreSQL cannot store,
// or the error is errLimit.
func parseDocument(text []byte) (*document, error) {
	if len(bytes.TrimLeft(text, space)) == 0 {
		return nil, errJSON.Withf("The body is empty; send what the widget passed to onSuccess.")
	}
	values := 1 + bytes.Count(text, []byte(",")) + bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
	b := builder{
		dec:     jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true)), // checkNames detects duplicates
		doc:     &document{text: text, nodes: make([]node, 0, min(values, maxValues))},
		escapes: bytes.IndexByte(text, '\\') >= 0,
	}
	for {
		if err := b.step(); err != nil {
			return nil, err
		}
		if b.depth == 0 {
			break
		}
	}
	if rest := bytes.TrimLeft(text[b.dec.InputOffset():], space); len(rest) > 0 {
		return nil, jsonError(text, len(text)-len(rest), "there is text after the JSON value")
	}
	return b.doc, nil
}

// next returns the index of the node after the node at and its descendants.
func (d *document) next(at uint32) uint32 {
	if n := &d.nodes[at]; n.kind == '{' || n.kind == '[' {
		return n.end
	}
	return at + 1
}

// builder builds a document token by token.
type builder struct {
	dec     *jsontext.Decoder
	doc     *document
	escapes bool        // the text has escapes
	name    node        // has the name of the member whose value comes next
	recent  [128]layout // the last one of each layoutHash
	depth   int
	open    [maxDepth]struct {
		at      uint32 // the node of the array or object
		members int
	}
}

// step reads the next name or value, or the end of an array or object.
func (b *builder) step() error {
	kind := b.dec.PeekKind()
	switch kind {
	case '{', '[':
		return b.begin(kind)
	case '}', ']':
		return b.end(kind)
	}
	raw, err := b.dec.ReadValue()
	if err != nil {
		return b.syntaxError(err)
	}
	end := b.offset()
	start := end - uint32(len(raw)) //nolint:gosec // a body has less than 4 GiB
	if kind == '"' && b.atName() {
		return b.setName(raw, start)
	}
	if exceeded := scalarLimit(kind, raw, b.escapes); exceeded != noLimit {
		return exceeded.at(b.pointer(b.name))
	}
	return b.add(node{start: start, end: end, kind: kind})
}

// begin opens an array or an object.
func (b *builder) begin(kind jsontext.Kind) error {
	if _, err := b.dec.ReadToken(); err != nil {
		return b.syntaxError(err)
	}
	if b.depth == maxDepth {
		return limitDepth.at(b.pointer(b.name))
	}
	b.open[b.depth].at, b.open[b.depth].members = b.count(), 0
	b.depth++
	return b.add(node{kind: kind})
}

// end closes an array or an object.
func (b *builder) end(kind jsontext.Kind) error {
	if _, err := b.dec.ReadToken(); err != nil {
		return b.syntaxError(err)
	}
	b.depth--
	closed := &b.open[b.depth]
	n := &b.doc.nodes[closed.at]
	n.end = b.count()
	if kind == ']' {
		return nil
	}
	if duplicate := b.checkNames(value{b.doc, closed.at}, closed.members); duplicate.kind() != 0 {
		return jsonError(b.doc.text, int(duplicate.node().name)-1, "an object has the same name twice")
	}
	return nil
}

// add appends the node of a value. If setName was called before, the value is a member.
func (b *builder) add(n node) error {
	if len(b.doc.nodes) == maxValues {
		return limitValues.at(b.pointer(b.name))
	}
	n.name, n.nameLength, n.escaped = b.name.name, b.name.nameLength, b.name.escaped
	b.name = node{}
	b.doc.nodes = append(b.doc.nodes, n)
	return nil
}

// atName reports whether the string that was read last is the name of a member.
func (b *builder) atName() bool {
	parent, index := b.dec.StackIndex(b.dec.StackDepth())
	return parent == '{' && index%2 == 1
}

// setName sets the name of the value that comes next.
func (b *builder) setName(raw []byte, start uint32) error {
	object := &b.open[b.depth-1]
	object.members++
	b.name = node{name: start + 1, nameLength: uint16(min(len(raw)-2, maxName)), escaped: b.escapes && bytes.IndexByte(raw, '\\') >= 0} //nolint:gosec // 1024 at most
	switch {
	case object.members > maxMembers:
		return limitMembers.at(b.pointer(b.name))
	case len(raw) > maxName+2:
		b.name.escaped = false // it is cut, perhaps within an escape
		return limitName.at(b.pointer(b.name))
	case b.escapes && hasNUL(raw):
		return limitNUL.at(b.pointer(b.name))
	}
	return nil
}

// pointer returns the JSON pointer of the value or name that was read last, where member
// is the name of a member. The nodes of values that are open have no end yet.
func (b *builder) pointer(member node) string {
	var p strings.Builder
	for i := range b.depth {
		at := b.open[i].at
		if at == b.count() { // it is the value that was read last
			break
		}
		if b.doc.nodes[at].kind == '[' {
			_, length := b.dec.StackIndex(i + 1)
			p.WriteString("/" + strconv.FormatInt(length-1, 10))
			continue
		}
		n := member
		if inner := i + 1; inner < b.depth && b.open[inner].at < b.count() {
			n = b.doc.nodes[b.open[inner].at]
		}
		name := value{&document{text: b.doc.text, nodes: []node{n}}, 0}.name()
		p.WriteString("/" + pointerEscapes.Replace(string(name)))
	}
	return cutPointer(p.String())
}

// offset returns how much of the text has been read, in bytes.
func (b *builder) offset() uint32 { return uint32(b.dec.InputOffset()) } //nolint:gosec // a body has less than 4 GiB

// count returns the number of nodes.
func (b *builder) count() uint32 { return uint32(len(b.doc.nodes)) } //nolint:gosec // maxValues at most
