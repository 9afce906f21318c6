package portfolio

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"casbroker/internal/fault"
)

// Warnings about whose a statement is.
var (
	OtherOwner = fault.Field{
		Code: "other_owner", Detail: "The PAN contradicts that of most of your statements, so this one is saved for another owner.",
	}
	SeveralOwners = fault.Field{
		Code: "several_owners", Detail: "The accounts of this statement belong to several people; each row names its owner.",
	}
	MissingPAN = fault.Field{
		Code: "missing_pan", Detail: "The statement has no PAN, so its owner is not certain.",
	}
	// MissingPANActive replaces MissingPAN if the statement takes the place of one with a PAN.
	MissingPANActive = fault.Field{
		Code:   "missing_pan",
		Detail: "The statement has no PAN, so its owner is not certain. It is now the active one, in place of a statement of an owner with a PAN.",
	}
)

// MaxOwners is how many people a statement may name as owners of its accounts, and how many
// owners a user may have. Real ones are few; more would make each save search long.
const MaxOwners = 200

// ErrTooManyOwners is returned for a statement with which there would be more than MaxOwners.
var ErrTooManyOwners = fault.New(fault.Unprocessable, "too_many_owners",
	fmt.Sprintf("Your statements may list the accounts of at most %d people, and this one lists another; it was not saved. "+
		"Delete the statements of people that you do not need any more, which GET /v1/portfolios?owner= finds, then save it again.", MaxOwners))

// ErrTooManyStated is the ErrTooManyOwners for one statement that lists too many by itself.
var ErrTooManyStated = ErrTooManyOwners.Withf(
	"The statement lists the accounts of more than %d people; it was not saved. Save statements of fewer accounts in its place.", MaxOwners)

// PANHashSize is the number of bytes that represent one character of a PAN.
const PANHashSize = 4

// Person is what a statement tells about a person. Empty fields are not stated.
type Person struct {
	Name      string
	PANMasked string
	// PANHashes has PANHashSize bytes for each character of the PAN, zeros for a masked
	// one. They can be compared but not reversed.
	PANHashes []byte
}

// KnownOwner is what the statements of a user tell about an owner.
type KnownOwner struct {
	Number int
	Person
	Statements int // portfolios of this owner
}

// Stated is whose a statement and its accounts are, as the statement states it.
type Stated struct {
	Investor Person
	Accounts []Person // the owner of each account
	// Before has for each account the owner that it had in an earlier statement, 0 for none.
	Before []int
	// Number is the number of the statement's owner if that is not known: 0 for the one after
	// the highest.
	Number int
}

// Owners is the result of FindOwners.
type Owners struct {
	Owner    int   // of the statement
	Accounts []int // the owner of each account
	// Stated has the owners of the statement and of its accounts, by number, with what the
	// statement tells of them.
	Stated []KnownOwner
	// Known has all owners, by number, with what is known with this statement, which is
	// counted.
	Known []KnownOwner
	// Other is set if the statement's owner contradicts the user of the statements before, and
	// OfOther if it contradicts the user of all, which may be another one.
	Other, OfOther bool
	MissingPAN     bool // the statement has no PAN
}

// StatedPAN returns the PAN hashes of the statement's owner that the statement shows.
func (o Owners) StatedPAN() []byte {
	for _, stated := range o.Stated {
		if stated.Number == o.Owner {
			return stated.PANHashes
		}
	}
	return nil
}

// FindOwners finds out whose a statement and its accounts are.
//
// A person with a PAN is the known owner without a contradicting character who has the
// most equal ones; without any equal one, the name decides. Of equals it is the one that the
// account had before, then the one with the same name, then the lowest number. An account
// without a PAN keeps its owner; otherwise a person without a PAN is the one with the same
// name, in this statement rather than others. Whoever is not known is a new owner; who has
// neither PAN nor name is the owner of the statement, otherwise the user.
//
// The owner of the statement is the investor in its header. If that has no PAN, it is the
// owner of an account with the investor's name, otherwise the user if they own an account,
// otherwise the owner of most accounts.
func FindOwners(known []KnownOwner, st Stated) Owners {
	f := newFinder(known, st)
	if st.Investor.HasPAN() {
		f.owner = f.add(f.byPAN(st.Investor, 0), st.Investor)
	}
	for i, p := range st.Accounts {
		if p.HasPAN() {
			f.accounts[i] = f.assign(p, st.Before[i], f.byPAN)
		}
	}
	missing := len(f.stated) == 0
	if f.owner == 0 && st.Investor.Name != "" {
		f.owner = f.investor()
	}
	for i, p := range st.Accounts {
		if f.accounts[i] == 0 {
			f.accounts[i] = f.assign(p, st.Before[i], f.withoutPAN)
		}
	}
	if f.owner == 0 {
		f.owner = f.mostAccounts()
	}
	if f.owner == 0 {
		f.owner = f.add(f.user, Person{})
	}
	owner := f.known[f.owner]
	owner.Statements++
	f.known[f.owner] = owner
	found := Owners{Owner: f.owner, Accounts: f.accounts, Stated: sorted(f.stated), Known: sorted(f.known), MissingPAN: missing}
	found.Other = Contradicts(f.known[f.user].PANHashes, owner.PANHashes)
	found.OfOther = Contradicts(f.known[UserOf(found.Known)].PANHashes, owner.PANHashes)
	return found
}

// UserOf returns the number of the owner who most of the statements belong to, who is taken
// for the user: of several the lowest, and 0 without any statement.
func UserOf(known []KnownOwner) (user int) {
	most := 0
	for _, o := range known {
		if o.Statements > most || o.Statements == most && most > 0 && o.Number < user {
			user, most = o.Number, o.Statements
		}
	}
	return user
}

// finder finds the owners of one statement.
type finder struct {
	Stated
	known, stated map[int]KnownOwner // by number
	user          int                // 0 if nothing is known
	owner         int                // of the statement, 0 if not found yet
	accounts      []int              // the owner of each account, 0 if not found yet
	assigned      map[string]int     // the results of assign
}

func newFinder(known []KnownOwner, st Stated) *finder {
	f := &finder{
		Stated: st, known: map[int]KnownOwner{}, stated: map[int]KnownOwner{}, accounts: make([]int, len(st.Accounts)), assigned: map[string]int{},
	}
	for _, o := range known {
		f.known[o.Number] = o
	}
	f.user = UserOf(known)
	return f
}

// assign returns the owner of an account that p owns, whom find finds, or a new one. Equal
// people are found once, since a statement may have thousands of accounts.
func (f *finder) assign(p Person, before int, find func(p Person, before int) int) int {
	key := fmt.Sprintf("%x %d %s", p.PANHashes, before, p.Name)
	number, ok := f.assigned[key]
	if !ok {
		number = f.add(find(p, before), p)
		f.assigned[key] = number
	}
	return number
}

// add adds what the statement tells about p, who is the owner with this number, or a new
// one for 0. It returns the number.
func (f *finder) add(number int, p Person) int {
	if _, taken := f.known[f.Number]; number == 0 && f.owner == 0 && f.Number > 0 && !taken {
		number = f.Number
	}
	if number == 0 {
		number = 1
		for n := range f.known {
			number = max(number, n+1)
		}
	}
	for _, owners := range []map[int]KnownOwner{f.known, f.stated} {
		o := owners[number]
		o.Number, o.Person = number, o.Merge(p)
		owners[number] = o
	}
	return number
}

// investor returns the owner of a statement whose header has a name and no PAN.
func (f *finder) investor() int {
	p := f.Investor
	if number := f.byName(p, f.stated); number != 0 {
		return f.add(number, p)
	}
	if len(f.stated) > 0 {
		return f.mostAccounts()
	}
	before := 0
	for i, account := range f.Accounts {
		if before == 0 && SameName(account.Name, p.Name) {
			before = f.Before[i]
		}
	}
	return f.add(f.withoutPAN(p, before), p)
}

// mostAccounts returns the user if the statement states them, otherwise the owner of most of
// its accounts, and 0 if it states nobody yet.
func (f *finder) mostAccounts() (number int) {
	counts := map[int]int{0: -1}
	for _, owner := range f.accounts {
		if owner != 0 {
			counts[owner]++
		}
	}
	for _, o := range sorted(f.stated) {
		if o.Number == f.user {
			return f.user
		}
		if counts[o.Number] > counts[number] {
			number = o.Number
		}
	}
	return number
}

// byPAN returns the known owner with the PAN of p, 0 for none. before is the owner that
// p's account had before, 0 for none.
func (f *finder) byPAN(p Person, before int) int {
	type rank struct{ equal, before, named int }
	compare := func(a, b rank) int {
		return cmp.Or(cmp.Compare(a.equal, b.equal), cmp.Compare(a.before, b.before), cmp.Compare(a.named, b.named))
	}
	best, number := rank{equal: contradiction}, 0
	for _, o := range sorted(f.known) {
		r := rank{equal: matches(o.PANHashes, p.PANHashes), before: boolInt(o.Number == before)}
		if r.equal == contradiction {
			continue
		}
		r.named = boolInt(SameName(o.Name, p.Name))
		if r.equal == 0 && o.Name != "" && p.Name != "" && r.before+r.named == 0 {
			continue // nothing tells that they are the same
		}
		if compare(r, best) > 0 {
			best, number = r, o.Number
		}
	}
	return number
}

// byName returns the one of owners with the name of p, 0 for none: the user, otherwise the
// lowest number.
func (f *finder) byName(p Person, owners map[int]KnownOwner) int {
	if o, ok := owners[f.user]; ok && SameName(o.Name, p.Name) {
		return f.user
	}
	for _, o := range sorted(owners) {
		if SameName(o.Name, p.Name) {
			return o.Number
		}
	}
	return 0
}

// withoutPAN returns the owner that p is, who has no PAN, 0 for a new one. before is the
// owner that p's account had before, 0 for none.
func (f *finder) withoutPAN(p Person, before int) int {
	if before != 0 && f.known[before].Number == before {
		return before
	}
	if number := cmp.Or(f.byName(p, f.stated), f.byName(p, f.known)); number != 0 {
		return number
	}
	unnamed := f.owner
	if unnamed == 0 {
		unnamed = cmp.Or(f.mostAccounts(), f.user)
	}
	if p.Name == "" || unnamed != 0 && f.known[unnamed].Name == "" {
		return unnamed
	}
	return 0
}

// HasPAN reports whether at least one character of the PAN of p is visible.
func (p Person) HasPAN() bool {
	return slices.ContainsFunc(p.PANHashes, func(b byte) bool { return b != 0 })
}

// Merge returns what is known of a person from p and q: the longer name, and the characters
// of the PAN that are visible in one of them. The order of p and q does not matter.
func (p Person) Merge(q Person) Person {
	if cmp.Or(cmp.Compare(len(q.Name), len(p.Name)), cmp.Compare(p.Name, q.Name)) > 0 {
		p.Name = q.Name
	}
	p.PANHashes, p.PANMasked = mergeHashes(p.PANHashes, q.PANHashes), mergeMasked(p.PANMasked, q.PANMasked)
	return p
}

// mergeMasked returns a PAN with the characters that are visible in a or b.
func mergeMasked(a, b string) string {
	if len(a) != len(b) {
		return cmp.Or(a, b)
	}
	both := []byte(a)
	for i := range both {
		if both[i] == 'X' {
			both[i] = b[i]
		}
	}
	return string(both)
}

// mergeHashes returns the hashes of the characters that are visible in a or b.
func mergeHashes(a, b []byte) []byte {
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

// Contradicts reports whether PANs with these hashes differ in a character that is visible
// in both.
func Contradicts(a, b []byte) bool { return matches(a, b) == contradiction }

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

// sorted returns owners by number.
func sorted(owners map[int]KnownOwner) []KnownOwner {
	list := make([]KnownOwner, 0, len(owners))
	for _, o := range owners {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b KnownOwner) int { return a.Number - b.Number })
	return list
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
