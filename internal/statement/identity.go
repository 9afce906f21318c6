package statement

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"

	"casbroker/internal/secret"
)

// AccountKind is the kind of an account.
type AccountKind string

// The kinds of accounts.
const (
	Demat   AccountKind = "demat"
	Folio   AccountKind = "folio"
	Policy  AccountKind = "policy"
	Pension AccountKind = "pension"
)

// Account is a demat account, a folio, an insurance policy or a pension account. Empty
// fields were not stated.
type Account struct {
	Kind   AccountKind
	Number string // as stated
	// Key identifies the account among those of its kind. It is equal in the statements of
	// all issuers, and "" if the statement does not identify the account.
	Key         string
	Institution string // depository participant, fund house, insurer or record-keeping agency
	Holders     []Holder
	// Owner is the first holder, otherwise the investor. It is completed from the PANs that
	// the statement links to the account.
	Owner Holder
	Value decimal.NullDecimal // rupees, as stated
}

// identify sets the keys and owners of the accounts, and merges accounts with one key.
func (p *parser) identify() {
	houses := p.fundHouses()
	type identity struct {
		kind AccountKind
		key  string
	}
	seen, indexes := map[identity]int{}, make([]int, len(p.s.Accounts))
	all := p.s.Accounts
	p.s.Accounts = all[:0]
	for i, a := range all {
		a.Key = accountKey(a, houses[i])
		id := identity{a.Kind, a.Key}
		same, ok := seen[id]
		if ok && a.Key != "" {
			p.s.Accounts[same].merge(a)
			indexes[i] = same
			continue
		}
		seen[id], indexes[i] = len(p.s.Accounts), len(p.s.Accounts)
		p.s.Accounts = append(p.s.Accounts, a)
	}
	for i := range p.s.Holdings {
		p.s.Holdings[i].AccountIndex = indexes[p.s.Holdings[i].AccountIndex]
	}
	alone := p.s.hasOneOwner()
	for i := range p.s.Accounts {
		p.s.Accounts[i].Owner = p.s.completeOwner(p.s.Accounts[i].Owner, alone)
	}
}

// hasOneOwner reports whether no two owners of accounts have different PANs.
func (s *Statement) hasOneOwner() bool {
	var first secret.Text
	for i := range s.Accounts {
		pan := s.Accounts[i].Owner.PAN
		if first != "" && pan != "" && !samePAN(first, pan) {
			return false
		}
		first = cmp.Or(first, pan)
	}
	return true
}

// countAccount counts an account. It returns false if there are more than MaxRows, which
// is a fault.
func (p *parser) countAccount(v value) bool {
	if p.accountsRead++; p.accountsRead == MaxRows+1 {
		p.fault(v, codeTooManyAccounts, "A statement may have at most %d accounts.", MaxRows)
	}
	return p.accountsRead <= MaxRows
}

// merge adds what another part of the statement states about the same account.
func (a *Account) merge(other Account) {
	if len(a.Holders) == 0 {
		a.Holders = other.Holders
	}
	if a.Owner == (Holder{}) {
		a.Owner = other.Owner
	}
	a.Institution = cmp.Or(a.Institution, other.Institution)
	a.Value = decimal.NullDecimal{Decimal: a.Value.Decimal.Add(other.Value.Decimal), Valid: a.Value.Valid && other.Value.Valid}
}

// fundHouses returns the codes of the fund houses by account: the first six characters of
// the ISINs of funds, and of several codes the most frequent one.
func (p *parser) fundHouses() []string {
	codes := make([]string, len(p.s.Accounts))
	var counts codeCounts
	for rows := p.s.Holdings; len(rows) > 0; {
		index := rows[0].AccountIndex
		counts = counts[:0]
		for len(rows) > 0 && rows[0].AccountIndex == index {
			if isin := rows[0].ISIN; strings.HasPrefix(isin, fundISINPrefix) {
				counts = counts.add(isin[:6])
			}
			rows = rows[1:]
		}
		codes[index] = counts.most()
	}
	return codes
}

// maxCodes is how many codes of one account are counted. An account has one or two.
const maxCodes = 16

// codeCounts counts codes.
type codeCounts []struct {
	code string
	n    int
}

func (c codeCounts) add(code string) codeCounts {
	for i := range c {
		if c[i].code == code {
			c[i].n++
			return c
		}
	}
	if len(c) == maxCodes {
		return c
	}
	return append(c, codeCounts{{code, 1}}...)
}

// most returns the most frequent code, of equally frequent ones the first in the alphabet.
func (c codeCounts) most() (code string) {
	most := 0
	for _, candidate := range c {
		if candidate.n > most || candidate.n == most && candidate.code < code {
			code, most = candidate.code, candidate.n
		}
	}
	return code
}

// accountKey returns the Key of a. house is the code of the fund house of a folio.
func accountKey(a Account, house string) string {
	switch a.Kind {
	case Folio:
		if house == "" {
			house = nameKey(a.Institution)
		}
		return join(house, folioKey(a.Number))
	case Policy:
		return join(nameKey(a.Institution), numberKey(a.Number))
	default:
		return numberKey(a.Number)
	}
}

// join joins the two parts of a key, of which both are needed.
func join(institution, number string) string {
	if institution == "" || number == "" {
		return ""
	}
	return institution + "/" + number
}

var folioWord = regexp.MustCompile(`(?i)^\s*folio\s*(no|number|num)?\s*[.:#-]*\s*`)

// folioKey returns the number of a folio without spaces, the word "folio" and a suffix
// of zero, which only some issuers write.
func folioKey(number string) string {
	if strings.ContainsAny(number, "fF") {
		number = folioWord.ReplaceAllString(number, "")
	}
	number = strings.ToUpper(strings.Join(strings.Fields(number), ""))
	if isMasked(number) {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(number, "/00"), "/0")
}

// numberKey returns the letters and digits of a number, in upper case; "" for a masked one.
func numberKey(number string) string {
	if isMasked(number) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, number)
}

// isMasked reports whether characters of number are hidden.
func isMasked(number string) bool {
	return strings.Contains(number, "*") || strings.Contains(strings.ToUpper(number), "XXX")
}

// commonWords are words in the names of institutions that some issuers leave out.
var commonWords = []string{
	"THE", "OF", "AND", "LTD", "LIMITED", "PVT", "PRIVATE", "CO", "COMPANY", "INDIA",
	"MUTUAL", "FUND", "MF", "AMC", "ASSET", "MANAGEMENT", "LIFE", "INSURANCE", "ASSURANCE",
}

// nameKey returns the words of an institution's name that all issuers write, in upper
// case.
func nameKey(name string) string {
	words := strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if own := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(commonWords, w) }); len(own) > 0 {
		words = own
	}
	return strings.Join(words, " ")
}
