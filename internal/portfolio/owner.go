package portfolio

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/statement"
)

// OtherOwner is the warning that a statement gets which is kept apart.
var OtherOwner = fault.Field{
	Code: "other_owner", Detail: "The PAN contradicts those of your first statements, so this one is kept apart from them.",
}

// MarkSize is how many bytes stand for one character of a PAN in its marks.
const MarkSize = 4

// Standing is what of a saved portfolio decides whose it is, and which one counts.
type Standing struct {
	ID    string
	Owner int
	// Marks has MarkSize bytes for each character of the PAN, from which two of them
	// can be told apart but not read: zeros for a hidden one. It is empty when no PAN
	// is stated.
	Marks   []byte
	Active  bool
	CASType statement.CASType
	To      string // the last day of its period, YYYY-MM-DD; "" when it is not stated
	SavedAt time.Time
}

// Compare orders the portfolios of one owner: it is positive when a counts rather
// than b. A depository lists funds and securities, so its statements come before
// those that list funds alone, then those whose period ends later, then those that
// arrived later.
func (a Standing) Compare(b Standing) int {
	return cmp.Or(
		cmp.Compare(rank(a.CASType), rank(b.CASType)),
		cmp.Compare(a.To, b.To),
		a.SavedAt.Compare(b.SavedAt),
		cmp.Compare(a.ID, b.ID),
	)
}

func rank(t statement.CASType) int {
	if t.Depository() {
		return 1
	}
	return 0
}

// OwnerOf tells whose a new statement with marks is, among the user's saved ones:
// the owner with no contradicting character and the most agreeing ones, of equals
// the lowest number; a new one if all contradict. apart says that it contradicts the
// first owner, whom the user is taken to be. saved needs one Standing for each of an
// owner's distinct Marks.
func OwnerOf(saved []Standing, marks []byte) (owner int, apart bool) {
	known := map[int][]byte{}
	for _, one := range saved {
		known[one.Owner] = merge(known[one.Owner], one.Marks)
	}
	owners := slices.Sorted(maps.Keys(known))
	last, best := 0, contradiction
	for _, candidate := range owners {
		if n := agree(known[candidate], marks); n > best {
			owner, best = candidate, n
		}
		last = candidate
	}
	if best == contradiction {
		owner = last + 1
	}
	return owner, len(owners) > 0 && agree(known[owners[0]], marks) == contradiction
}

// merge returns the marks that a or b shows.
func merge(a, b []byte) []byte {
	if len(a) < len(b) {
		a, b = b, a
	}
	both := slices.Clone(a)
	for i := 0; i+MarkSize <= len(b); i += MarkSize {
		if bytes.Equal(both[i:i+MarkSize], unseen[:]) {
			copy(both[i:], b[i:i+MarkSize])
		}
	}
	return both
}

// contradiction is what agree says when there is one.
const contradiction = -1

// agree counts the characters that a and b both show and have in common, unless
// at some place they show two that differ, which is a contradiction.
func agree(a, b []byte) int {
	n := 0
	for i := 0; i+MarkSize <= min(len(a), len(b)); i += MarkSize {
		one, other := a[i:i+MarkSize], b[i:i+MarkSize]
		switch {
		case bytes.Equal(one, unseen[:]) || bytes.Equal(other, unseen[:]):
		case bytes.Equal(one, other):
			n++
		default:
			return contradiction
		}
	}
	return n
}

// unseen is the mark of a hidden character.
var unseen [MarkSize]byte
