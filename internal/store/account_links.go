package store

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"casbroker/internal/id"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// accountLinks has the owners and accounts that a portfolio lists, without what is sealed of
// them. It is a column that is read for all portfolios of a user at once, so it is packed:
//
//	version
//	number of owners,   for each its number, the length of its PAN hashes, these
//	number of accounts, for each its kind, the 16 bytes of its id, its owner and number of rows
//
// Numbers are varints.
type accountLinks struct {
	owners   []ownerLink
	accounts []accountLink // in the order of the statement
}

type ownerLink struct {
	number    int
	panHashes []byte // that the portfolio shows; nil for none
}

type accountLink struct {
	id          [16]byte
	kind        statement.AccountKind
	owner, rows int
}

// minAccountLink is the smallest number of bytes of a packed accountLink.
const minAccountLink = 1 + 16 + 1 + 1

// linksVersion is the first byte of packed accountLinks.
const linksVersion = 1

// accountKinds has the kinds of accounts by their number in packed accountLinks. A kind
// keeps its number.
var accountKinds = []statement.AccountKind{"", statement.Demat, statement.Folio, statement.Policy, statement.Pension}

// errLinks is returned for bytes that accountLinks.pack did not return.
var errLinks = errors.New("the accounts of a portfolio cannot be decoded")

// publicID returns the id of the account as callers see it.
func (a accountLink) publicID() string { return id.FromBytes("ac", a.id) }

// links returns the accountLinks of found, for accounts with these ids, kinds and rows.
func newLinks(found portfolio.Owners, accounts []accountLink) (l accountLinks) {
	for _, o := range found.Stated {
		l.owners = append(l.owners, ownerLink{o.Number, o.PANHashes})
	}
	l.accounts = slices.Clone(accounts)
	for i := range l.accounts {
		l.accounts[i].owner = found.Accounts[i]
	}
	return l
}

func (l accountLinks) pack() []byte {
	b := make([]byte, 0, 64*len(l.owners)+24*len(l.accounts)+8)
	b = appendCount(append(b, linksVersion), len(l.owners))
	for _, o := range l.owners {
		b = appendCount(appendCount(b, o.number), len(o.panHashes))
		b = append(b, o.panHashes...)
	}
	b = appendCount(b, len(l.accounts))
	for _, a := range l.accounts {
		b = append(b, byte(max(slices.Index(accountKinds, a.kind), 0))) //nolint:gosec // one of a few
		b = append(b, a.id[:]...)
		b = appendCount(appendCount(b, a.owner), a.rows)
	}
	return b
}

// appendCount appends n, which is not negative.
func appendCount(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) } //nolint:gosec // not negative

// unpackLinks returns the accountLinks that were packed into b, or errLinks.
func unpackLinks(b []byte) (l accountLinks, err error) {
	r := linkReader{b: b}
	r.failed = r.byte() != linksVersion
	for n := r.count(); n > 0 && !r.failed; n-- {
		o := ownerLink{number: r.count()}
		o.panHashes = r.take(r.count())
		l.owners = append(l.owners, o)
	}
	n := r.count()
	l.accounts = make([]accountLink, 0, min(n, len(r.b)/minAccountLink))
	for ; n > 0 && !r.failed; n-- {
		a := accountLink{kind: r.kind()}
		copy(a.id[:], r.take(len(a.id)))
		a.owner, a.rows = r.count(), r.count()
		l.accounts = append(l.accounts, a)
	}
	if r.failed || len(r.b) > 0 {
		return l, errLinks
	}
	return l, nil
}

// linkReader reads packed accountLinks and accountDetails. After a failure, all that it returns is empty.
type linkReader struct {
	b      []byte
	texts  string // all that is read, if it has texts
	failed bool
}

// take returns the next n bytes.
func (r *linkReader) take(n int) []byte {
	if r.failed = r.failed || n > len(r.b); r.failed {
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *linkReader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *linkReader) kind() statement.AccountKind {
	b := int(r.byte())
	if r.failed = r.failed || b >= len(accountKinds); r.failed {
		return ""
	}
	return accountKinds[b]
}

// count returns the next number.
func (r *linkReader) count() int {
	n, size := binary.Uvarint(r.b)
	if r.failed = r.failed || size <= 0 || n > math.MaxInt32; r.failed {
		return 0
	}
	r.b = r.b[size:]
	return int(n) //nolint:gosec // not above MaxInt32
}
