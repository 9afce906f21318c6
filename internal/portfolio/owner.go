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

// OtherOwner is the warning on a statement of another owner than the user's first one.
var OtherOwner = fault.Field{
	Code: "other_owner", Detail: "The PAN contradicts those of your first statements, so this one is saved for another owner.",
}

// PANHashSize is the number of bytes that represent one character of a PAN.
const PANHashSize = 4

// Rank is the part of a saved portfolio that decides its owner, and whether it is the
// active one of that owner.
type Rank struct {
	ID    string
	Owner int
	// PANHashes has PANHashSize bytes for each character of the PAN, zeros for a masked
	// one. They can be compared but not reversed. It is empty if no PAN is stated.
	PANHashes []byte
	Active    bool
	CASType   statement.CASType
	To        string // the last day of the period, YYYY-MM-DD; "" if not stated
	Differs   bool   // from what the vendor gave
	SavedAt   time.Time
}

// Compare orders the portfolios of one owner: it is positive if a rather than b should
// be active. Statements of a depository come first, because they list securities and
// funds; then those whose period ends later; then those that do not differ from what the
// vendor gave; then those saved later.
func (a Rank) Compare(b Rank) int {
	return cmp.Or(
		cmp.Compare(typeRank(a.CASType), typeRank(b.CASType)),
		cmp.Compare(a.To, b.To),
		differsRank(b)-differsRank(a),
		a.SavedAt.Compare(b.SavedAt),
		cmp.Compare(a.ID, b.ID),
	)
}

func differsRank(r Rank) int {
	if r.Differs {
		return 1
	}
	return 0
}

func typeRank(t statement.CASType) int {
	if t.Depository() {
		return 1
	}
	return 0
}

// OwnerOf returns the owner of a new statement with panHashes: among the owners in saved
// without a contradicting character, the one with the most matching characters, and of
// equals the lowest number; a new owner if all contradict. other reports whether the
// statement contradicts the first owner, who is assumed to be the user. saved must have
// one Rank for each distinct PANHashes of each owner.
func OwnerOf(saved []Rank, panHashes []byte) (owner int, other bool) {
	known := map[int][]byte{}
	for _, r := range saved {
		known[r.Owner] = merge(known[r.Owner], r.PANHashes)
	}
	owners := slices.Sorted(maps.Keys(known))
	last, best := 0, contradiction
	for _, candidate := range owners {
		if n := matches(known[candidate], panHashes); n > best {
			owner, best = candidate, n
		}
		last = candidate
	}
	if best == contradiction {
		owner = last + 1
	}
	return owner, len(owners) > 0 && matches(known[owners[0]], panHashes) == contradiction
}

// merge returns the hashes of the characters that are visible in a or b.
func merge(a, b []byte) []byte {
	if len(a) < len(b) {
		a, b = b, a
	}
	both := slices.Clone(a)
	for i := 0; i+PANHashSize <= len(b); i += PANHashSize {
		if bytes.Equal(both[i:i+PANHashSize], masked[:]) {
			copy(both[i:], b[i:i+PANHashSize])
		}
	}
	return both
}

// contradiction is the result of matches for PANs that differ.
const contradiction = -1

// matches counts the equal characters that are visible in both a and b. It returns
// contradiction if a visible character differs.
func matches(a, b []byte) int {
	n := 0
	for i := 0; i+PANHashSize <= min(len(a), len(b)); i += PANHashSize {
		x, y := a[i:i+PANHashSize], b[i:i+PANHashSize]
		switch {
		case bytes.Equal(x, masked[:]) || bytes.Equal(y, masked[:]):
		case bytes.Equal(x, y):
			n++
		default:
			return contradiction
		}
	}
	return n
}

// masked represents a masked character.
var masked [PANHashSize]byte
