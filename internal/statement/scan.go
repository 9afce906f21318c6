package statement

import (
	"bytes"
	"fmt"
)

// What a JSON text may have, so that reading it costs little more than its bytes.
const (
	maxDepth   = 64      // arrays and objects within one another; statements need 8
	maxName    = 1024    // bytes of a member's name, as it is written
	maxMembers = 10_000  // of one object; statements need 30
	maxValues  = 500_000 // of all kinds; MaxRows rows in full come to 400,000
)

// scan looks for what the decoder lets pass or would be slow to read, without
// caring for the grammar.
func scan(body []byte) error {
	s := scanner{values: 1}
	inside, begun := false, 0
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inside && c == '\\':
			if bytes.HasPrefix(body[i:], []byte(`\u0000`)) {
				return wrong(body, int64(i), "the character U+0000 is not taken")
			}
			i++
		case c == '"':
			if inside && i-begun > maxName && named(body[i+1:]) {
				return wrong(body, int64(begun), fmt.Sprintf("a name has more than %d bytes", maxName))
			}
			inside, begun = !inside, i+1
		case !inside:
			if much := s.count(c); much != "" {
				return wrong(body, int64(i), much)
			}
		}
	}
	return nil
}

// named reports whether the string before rest is the name of a member.
func named(rest []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(rest, space), []byte(":")) }

// scanner counts what a JSON text has.
type scanner struct {
	values  int
	depth   int
	members [maxDepth + 1]int // of the object that is open at each depth
}

// count takes a byte that is not in a string, and says what there is too much of.
func (s *scanner) count(c byte) string {
	switch c {
	case '{', '[':
		s.values++
		if s.depth == maxDepth {
			return "arrays and objects are nested too deep"
		}
		s.depth++
		s.members[s.depth] = 0
	case '}', ']':
		s.depth = max(s.depth-1, 0)
	case ',':
		s.values++
	case ':':
		s.members[s.depth]++
	}
	switch {
	case s.values > maxValues:
		return fmt.Sprintf("there are more than %d values", maxValues)
	case s.members[s.depth] > maxMembers:
		return fmt.Sprintf("an object has more than %d members", maxMembers)
	}
	return ""
}
