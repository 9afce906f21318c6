package statement

import (
	"slices"
	"strings"

	"casbroker/internal/secret"
)

// Holder is a person who holds an account. Empty fields were not stated.
type Holder struct {
	Name string
	PAN  secret.Text // ten characters, '*' for each masked one; "" if not stated or not valid
}

// maxHolders is how many holders, and linked PANs, of an account are read. An account has
// at most three.
const maxHolders = 20

// holders reads linked_holders: the people who hold an account, the first holder first.
func (p *parser) holders(list value) (holders []Holder) {
	if !p.optional(list, '[') {
		return nil
	}
	for v := range list.children() {
		if len(holders) == maxHolders {
			p.warn(v, codeTooManyHolders, "At most %d holders of an account are read; the others were left out.", maxHolders)
			break
		}
		if !p.optional(v, '{') {
			continue
		}
		h := Holder{Name: strings.Trim(p.text(v.member("name")), space), PAN: p.readPAN(v.member("pan"))}
		if h != (Holder{}) {
			holders = append(holders, h)
		}
	}
	return holders
}

// linkedPANs reads the PANs in the additional_info of an account: pan is that of the
// first holder or, such as "OK", what is known of it; linked_pans has those of all.
func (p *parser) linkedPANs(info value) (pans []secret.Text) {
	if v := info.member("pan"); v.kind() == '"' && len(v.text()) >= panLength {
		if pan := p.readPAN(v); pan != "" {
			pans = append(pans, pan)
		}
	}
	for v := range info.member("linked_pans").children() {
		if len(pans) == maxHolders {
			break
		}
		if v.kind() == '{' {
			v = v.member("pan")
		}
		if v.kind() == '"' {
			if pan := p.readPAN(v); pan != "" {
				pans = append(pans, pan)
			}
		}
	}
	return pans
}

// firstHolder returns the first of holders. If it states no PAN, it gets the first of pans
// that is not another holder's.
func firstHolder(holders []Holder, pans []secret.Text) (first Holder) {
	if len(holders) > 0 {
		first, holders = holders[0], holders[1:]
	}
	for _, pan := range pans {
		isOther := slices.ContainsFunc(holders, func(h Holder) bool { return samePAN(h.PAN, pan) })
		if first.PAN == "" && !isOther {
			first.PAN = pan
		}
	}
	return first
}

// completeOwner completes the owner of an account from the investor of the statement.
// alone is set if no two accounts have different PANs.
func (s *Statement) completeOwner(owner Holder, alone bool) Holder {
	investor := Holder{s.Investor.Name, s.PAN}
	switch {
	case owner == Holder{}:
		return investor
	case owner.PAN == "" && sameName(owner.Name, investor.Name):
		owner.PAN = investor.PAN
	case owner.Name == "" && (samePAN(owner.PAN, investor.PAN) || investor.PAN == "" && alone):
		owner.Name = investor.Name
	}
	return owner
}

// sameName reports whether two names differ in case and spaces only.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}
