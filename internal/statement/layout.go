package statement

import (
	"bytes"
	"cmp"
	"slices"
)

// layout is the names of an object's members, in the order in which they were sent.
// Consecutive objects mostly have the same names, so a layout is checked for duplicates
// once for all of them.
type layout [][]byte

// checkNames returns the second member with a name of an object with this many members,
// or an absent value if no name is used twice.
func (b *builder) checkNames(object value, members int) (duplicate value) {
	if members < 2 {
		return value{}
	}
	recent := &b.recent[layoutHash(object, members)]
	if recent.matches(object, members) {
		return value{}
	}
	l, order := make(layout, 0, members), make([]uint16, members)
	for m := range object.children() {
		l = append(l, m.name())
	}
	for i := range order {
		order[i] = uint16(i)
	}
	slices.SortFunc(order, func(i, j uint16) int { return cmp.Or(bytes.Compare(l[i], l[j]), cmp.Compare(i, j)) })
	for i := 1; i < members; i++ {
		if bytes.Equal(l[order[i-1]], l[order[i]]) {
			return object.nth(int(order[i]))
		}
	}
	*recent = l
	return value{}
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
func (l layout) matches(object value, members int) bool {
	if len(l) != members {
		return false
	}
	i := 0
	for m := range object.children() {
		if !bytes.Equal(l[i], m.name()) {
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
