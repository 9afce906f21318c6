package statement

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
)

// Differences returns the JSON pointers, in text, of up to limit values at which the
// statement in text differs from the one in other. Both must have been accepted by Parse.
// Values are equal if their canonical forms are. Not compared are the objects around the
// statements and the time at which the vendor generated them. A value that only other has
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

// differ collects differences.
type differ struct {
	limit    int
	pointers []string
	a, b     canonicalHash // buffers of scalars
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
	case !d.sameScalar(a, b):
		d.add(a)
	}
}

// members compares the members of the objects a and b but those called skip.
func (d *differ) members(a, b value, skip ...string) {
	others := map[string]value{}
	for name, m := range b.members() {
		if !slices.Contains(skip, string(name)) {
			others[string(name)] = m
		}
	}
	for name, m := range a.members() {
		if slices.Contains(skip, string(name)) {
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

// sameScalar reports whether a and b, of the same kind, have the same canonical form.
func (d *differ) sameScalar(a, b value) bool {
	if bytes.Equal(a.raw(), b.raw()) {
		return true
	}
	d.a.out, d.b.out = d.a.out[:0], d.b.out[:0]
	d.a.value(a, inner)
	d.b.value(b, inner)
	return bytes.Equal(d.a.out, d.b.out)
}
