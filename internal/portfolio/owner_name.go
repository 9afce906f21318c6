package portfolio

import (
	"slices"
	"strings"
	"unicode"
)

// titles are words of a statement that are no part of a name.
var titles = []string{"MR", "MRS", "MS", "MISS", "DR", "SHRI", "SRI", "SMT", "KUM", "MASTER", "MINOR"}

// family is the word that tells a Hindu undivided family from the person who heads it.
const family = "HUF"

// SameName reports whether two names can be those of one person: they have the same words,
// in any order, or the first word is the same and the other words of one are in the other in
// the same order, in full, as initials or cut off, at least two words of all in full. Case,
// titles and what is in parentheses do not matter. An empty name is not the same as any.
func SameName(a, b string) bool {
	x, y := nameWords(a), nameWords(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	switch {
	case len(x) == 0, slices.Contains(x, family) != slices.Contains(y, family):
		return false
	case slices.Equal(slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y))):
		return true
	}
	full := 0
	for i, word := range x {
		at := slices.IndexFunc(y, func(other string) bool { return strings.HasPrefix(word, other) || strings.HasPrefix(other, word) })
		if at < 0 || i == 0 && y[0] != word {
			return false
		}
		full += boolInt(y[at] == word)
		y = y[at+1:]
	}
	return full >= 2
}

// nameWords returns the words of a name in upper case.
func nameWords(name string) []string {
	depth := 0
	words := strings.FieldsFunc(strings.ToUpper(strings.Map(func(r rune) rune {
		switch {
		case r == '(':
			depth++
			return ' '
		case r == ')':
			depth = max(depth-1, 0)
			return ' '
		case depth > 0 || !unicode.IsLetter(r) && !unicode.IsMark(r):
			return ' '
		}
		return r
	}, name)), unicode.IsSpace)
	if own := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(titles, w) }); len(own) > 0 {
		return own
	}
	return words
}
