package store

import (
	"encoding/binary"

	"casbroker/internal/portfolio"
)

// accountDetails has what is sealed of the owners and accounts of a portfolio, in the order of
// its accountLinks. It is packed, since it is decoded for each portfolio that is read, in a
// third of the time that JSON takes:
//
//	version
//	number of owners,   for each name, masked PAN
//	number of accounts, for each number, institution, number of holders, for each of these name, masked PAN
//
// Numbers are varints. A text is its length and its bytes.
type accountDetails struct {
	owners   []portfolio.Holder
	accounts []listingDetails
}

type listingDetails struct {
	number, institution string
	holders             []portfolio.Holder
}

// detailsVersion is the first byte of packed accountDetails.
const detailsVersion = 1

func (d accountDetails) pack() []byte {
	b := appendHolders(append(make([]byte, 0, 96*(len(d.owners)+len(d.accounts))), detailsVersion), d.owners)
	b = appendCount(b, len(d.accounts))
	for _, a := range d.accounts {
		b = appendHolders(appendText(appendText(b, a.number), a.institution), a.holders)
	}
	return b
}

func appendHolders(b []byte, list []portfolio.Holder) []byte {
	b = appendCount(b, len(list))
	for _, h := range list {
		b = appendText(appendText(b, h.Name), h.PANMasked)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// unpackDetails returns the accountDetails that were packed into b, false for other bytes.
func unpackDetails(b []byte) (d accountDetails, ok bool) {
	r := linkReader{b: b, texts: string(b)}
	r.failed = r.byte() != detailsVersion
	d.owners = r.holders()
	n := r.count()
	d.accounts = make([]listingDetails, 0, min(n, len(b)))
	for ; n > 0 && !r.failed; n-- {
		d.accounts = append(d.accounts, listingDetails{r.text(), r.text(), r.holders()})
	}
	return d, !r.failed && len(r.b) == 0
}

// text returns the next text, a part of r.texts.
func (r *linkReader) text() string {
	n := r.count()
	at := len(r.texts) - len(r.b)
	return r.texts[at : at+len(r.take(n))]
}

func (r *linkReader) holders() (list []portfolio.Holder) {
	n := r.count()
	if n == 0 {
		return nil
	}
	list = make([]portfolio.Holder, 0, min(n, len(r.b)))
	for ; n > 0 && !r.failed; n-- {
		list = append(list, portfolio.Holder{Name: r.text(), PANMasked: r.text()})
	}
	return list
}
