package statement

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
)

// Differences returns the JSON pointers, in text, of up to limit values at which the
// statement in text differs from the one in other. Both must have been accepted by Parse.
// A null is like an absent member. Not compared are the objects around the statements and
// the time at which the vendor generated them. A value that only other has
// is listed where it would be in text.
func Differences(text, other []byte, limit int) ([]string, error) {
	d := differ{limit: limit}
	statements := make([]value, 0, 2)
	for _, t := range [][]byte{text, other} {
		doc, err := parseDocument(t)
		if err != nil {
			return nil, err
		}
		e, err := unwrap(doc.root())
		if err != nil {
			return nil, err
		}
		statements = append(statements, e.statement)
	}
	d.members(statements[0], statements[1], append(slices.Clone(envelopeMembers), "generated_at")...)
	return d.pointers, nil
}

// envelopeMembers are the members of an envelope, which may also be next to the sections.
var envelopeMembers = []string{"status", "msg", "metadata", "data", "raw_response"}

// differ collects differences.
type differ struct {
	limit    int
	pointers []string
}

// add adds the pointer of v, or of the member or element of v called child.
func (d *differ) add(v value, child ...string) {
	if len(d.pointers) == d.limit {
		return
	}
	p := v.pointer()
	for _, name := range child {
		if p += "/" + pointerEscapes.Replace(name); len(p) > maxPointer {
			p = string(bytes.ToValidUTF8([]byte(p[:maxPointer]), nil))
		}
	}
	d.pointers = append(d.pointers, p)
}

// value compares a and b.
func (d *differ) value(a, b value) {
	switch {
	case len(d.pointers) == d.limit:
	case a.kind() != b.kind():
		d.add(a)
	case a.kind() == '{':
		d.members(a, b)
	case a.kind() == '[':
		d.array(a, b)
	case !sameScalar(a, b):
		d.add(a)
	}
}

// members compares the members of the objects a and b but those called skip.
func (d *differ) members(a, b value, skip ...string) {
	others := map[string]value{}
	for name, m := range b.members() {
		if m.present() && !slices.Contains(skip, string(name)) {
			others[string(name)] = m
		}
	}
	for name, m := range a.members() {
		if !m.present() || slices.Contains(skip, string(name)) {
			continue
		}
		other, ok := others[string(name)]
		switch delete(others, string(name)); {
		case !ok:
			d.add(m)
		case len(skip) > 0 && string(name) == "meta" && m.kind() == '{' && other.kind() == '{':
			d.members(m, other, "generated_at")
		default:
			d.value(m, other)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		d.add(a, name)
	}
}

// array compares the elements of a and b one by one.
func (d *differ) array(a, b value) {
	others := slices.Collect(b.children())
	n := 0
	for e := range a.children() {
		if n < len(others) {
			d.value(e, others[n])
		} else {
			d.add(e)
		}
		n++
	}
	for ; n < len(others) && len(d.pointers) < d.limit; n++ {
		d.add(a, strconv.Itoa(n))
	}
}

// sameScalar reports whether a and b, of the same kind, are the same text, however it is
// escaped, or the same number, however it is written.
func sameScalar(a, b value) bool {
	switch {
	case bytes.Equal(a.raw(), b.raw()):
		return true
	case a.kind() == '"':
		return a.text() == b.text()
	default:
		return a.kind() == '0' && bytes.Equal(appendNumber(nil, a.raw()), appendNumber(nil, b.raw()))
	}
}
