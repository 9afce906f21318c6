package statement

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// layout is the names of an object's members. Objects that follow one another
// mostly have the same, so that it is worked out once for all of them.
type layout struct {
	names [][]byte // as they were sent
	order []uint16 // their places, sorted as RFC 8785 says
	heads [][]byte // in that order, as they stand before their values in the canonical form
}

// layOut finds the layout of an object, which has as many members. If a name is
// there twice, it returns the later of both.
func (t *taker) layOut(object value, members int) (found uint32, twice value) {
	if len(t.doc.layouts) == 0 {
		t.doc.layouts = append(t.doc.layouts, layout{}) // that of an empty object
	}
	if members == 0 {
		return 0, value{}
	}
	likely := &t.likely[likeness(object, members)]
	if t.doc.layouts[*likely].fits(object, members) {
		return *likely, value{}
	}
	l := layout{names: make([][]byte, 0, members), order: make([]uint16, members), heads: make([][]byte, members)}
	for m := range object.inner() {
		l.names = append(l.names, m.name())
	}
	for i := range l.order {
		l.order[i] = uint16(i)
	}
	slices.SortStableFunc(l.order, func(a, b uint16) int { return compareNames(l.names[a], l.names[b]) })
	for i := 1; i < members; i++ {
		if bytes.Equal(l.names[l.order[i-1]], l.names[l.order[i]]) {
			return 0, nth(object, int(l.order[i]))
		}
	}
	for i, place := range l.order {
		head, _ := jsontext.AppendQuote(nil, l.names[place]) // take has passed it
		l.heads[i] = append(head, ':')
	}
	t.doc.layouts = append(t.doc.layouts, l)
	*likely = uint32(len(t.doc.layouts) - 1) //nolint:gosec // one for each object at most
	return *likely, value{}
}

// likeness is the same for objects that may have the same layout: less than 128.
func likeness(object value, members int) int {
	first := value{object.doc, object.at + 1}.name()
	if len(first) == 0 {
		return 0
	}
	return (members*31 + len(first)*7 + int(first[0])) & 127
}

// fits reports whether l is the layout of object.
func (l *layout) fits(object value, members int) bool {
	if len(l.names) != members {
		return false
	}
	i := 0
	for m := range object.inner() {
		if !bytes.Equal(l.names[i], m.name()) {
			return false
		}
		i++
	}
	return true
}

// nth is the member at a place.
func nth(object value, place int) value {
	for m := range object.inner() {
		if place == 0 {
			return m
		}
		place--
	}
	return value{}
}

// compareNames orders names by their UTF-16 code units (RFC 8785, section 3.2.3).
func compareNames(a, b []byte) int {
	at, n := 0, min(len(a), len(b))
	for at < n && a[at] == b[at] {
		at++
	}
	if at == n {
		return cmp.Compare(len(a), len(b))
	}
	for !utf8.RuneStart(a[at]) { // what is before it is the same in both
		at--
	}
	one, _ := utf8.DecodeRune(a[at:])
	other, _ := utf8.DecodeRune(b[at:])
	return cmp.Compare(unitOrder(one), unitOrder(other))
}

// unitOrder orders runes as UTF-16 does: those that it writes as surrogates come before
// the last of those that it does not.
func unitOrder(r rune) rune {
	if r >= 0xe000 && r <= 0xffff {
		return r + utf8.MaxRune
	}
	return r
}
