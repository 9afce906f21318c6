package statement

import "strings"

// encumbranceWords are parts of the names of members that say how many units of a row
// cannot be sold now, or can. They are among the units of the row.
var encumbranceWords = []string{"lock", "pledge", "frozen", "freeze", "lien", "encumb", "earmark", "safekeep", "available"}

// isEncumbrance reports whether name is one of a member that says how many of a row's
// units are locked, pledged or free.
func isEncumbrance(name string) bool {
	name = strings.ToLower(name)
	for _, word := range encumbranceWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasPrefix(name, "free")
}

// encumbrance notes that a row, or its additional_info, states locked, pledged or free
// units in v.
func (p *parser) encumbrance(row, v value) {
	e := &p.encumbered
	if !holdsValue("units", v) || e.rows > 0 && e.last == row {
		return
	}
	if e.rows == 0 {
		e.first = row
	}
	e.last = row
	e.rows++
}

// warnOfEncumbrances warns once of all rows that encumbrance has noted.
func (p *parser) warnOfEncumbrances() {
	switch e := p.encumbered; e.rows {
	case 0:
	case 1:
		p.warn(e.first, codeEncumbered, "This row states how many of its units are locked, pledged or free; only all of them together were saved.")
	default:
		p.warn(e.first, codeEncumbered, "This and other rows, %d in all, state how many of their units are locked, pledged or free; only all of them together were saved.", e.rows)
	}
}
