package portfolio

import (
	"cmp"
	"time"

	"casbroker/internal/statement"
)

// Rank is the part of a saved portfolio that decides whether it is the active one of its
// owner.
type Rank struct {
	ID      string
	Owner   int
	Active  bool
	CASType statement.CASType
	To      string // the last day of the period, YYYY-MM-DD; "" if not stated
	Differs bool   // from what the vendor gave
	SavedAt time.Time
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

func differsRank(r Rank) int { return boolInt(r.Differs) }

func typeRank(t statement.CASType) int { return boolInt(t.Depository()) }
