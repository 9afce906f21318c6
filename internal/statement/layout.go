package statement

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// layout is the names of an object's members. Consecutive objects mostly have the same
// names, so a layout is sorted and checked for duplicates once for all of them.
type layout struct {
	names [][]byte // in the order in which they were sent
	order []uint16 // indexes into names, sorted as RFC 8785 says
	heads [][]byte // in that order: the quoted name and the colon of the canonical form
}

// findLayout returns the index of the layout of an object with this many members, and
// adds it if it is new. If a name is used twice, duplicate is its second member.
func (b *builder) findLayout(object value, members int) (index uint32, duplicate value) {
	if len(b.doc.layouts) == 0 {
		b.doc.layouts = append(b.doc.layouts, layout{}) // of an empty object
	}
	if members == 0 {
		return 0, value{}
	}
	recent := &b.recent[layoutHash(object, members)]
	if b.doc.layouts[*recent].matches(object, members) {
		return *recent, value{}
	}
	l := layout{names: make([][]byte, 0, members), order: make([]uint16, members), heads: make([][]byte, members)}
	for m := range object.children() {
		l.names = append(l.names, m.name())
	}
	for i := range l.order {
		l.order[i] = uint16(i)
	}
	slices.SortStableFunc(l.order, func(i, j uint16) int { return compareNames(l.names[i], l.names[j]) })
	for i := 1; i < members; i++ {
		if bytes.Equal(l.names[l.order[i-1]], l.names[l.order[i]]) {
			return 0, object.nth(int(l.order[i]))
		}
	}
	for i, n := range l.order {
		head, _ := jsontext.AppendQuote(nil, l.names[n]) // the decoder has accepted it
		l.heads[i] = append(head, ':')
	}
	b.doc.layouts = append(b.doc.layouts, l)
	*recent = uint32(len(b.doc.layouts) - 1) //nolint:gosec // one for each object at most
	return *recent, value{}
}

// layoutHash is equal for objects with the same layout. It is less than 128.
func layoutHash(object value, members int) int {
	first := value{object.doc, object.at + 1}.name()
	if len(first) == 0 {
		return 0
	}
	return (members*31 + len(first)*7 + int(first[0])) & 127
}

// matches reports whether l is the layout of object.
func (l *layout) matches(object value, members int) bool {
	if len(l.names) != members {
		return false
	}
	i := 0
	for m := range object.children() {
		if !bytes.Equal(l.names[i], m.name()) {
			return false
		}
		i++
	}
	return true
}

// nth returns the member with index n of the object v.
func (v value) nth(n int) value {
	for m := range v.children() {
		if n == 0 {
			return m
		}
		n--
	}
	return value{}
}

// compareNames compares names by their UTF-16 code units (RFC 8785, section 3.2.3).
func compareNames(a, b []byte) int {
	i, n := 0, min(len(a), len(b))
	for i < n && a[i] == b[i] {
		i++
	}
	if i == n {
		return cmp.Compare(len(a), len(b))
	}
	for !utf8.RuneStart(a[i]) { // the bytes before i are the same in both
		i--
	}
	runeA, _ := utf8.DecodeRune(a[i:])
	runeB, _ := utf8.DecodeRune(b[i:])
	return cmp.Compare(utf16Order(runeA), utf16Order(runeB))
}

// utf16Order maps a rune to its position in the order of UTF-16, where runes that need
// surrogates come before U+E000 to U+FFFF.
func utf16Order(r rune) rune {
	if r >= 0xe000 && r <= 0xffff {
		return r + utf8.MaxRune
	}
	return r
}
