package store

import (
	"bytes"
	"fmt"
	"testing"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/statement"
)

// packedSamples returns packed links and details, with every kind of account.
func packedSamples() (links accountLinks, details accountDetails) {
	links.owners = []ownerLink{{1, bytes.Repeat([]byte{7}, 40)}, {300, nil}}
	details.owners = []portfolio.Holder{{Name: "Asha Example", PANMasked: "XXXXXX999A"}, {}}
	for i, kind := range accountKinds {
		links.accounts = append(links.accounts, accountLink{id: [16]byte{byte(i), 255}, kind: kind, owner: 300, rows: 1000 * i})
		details.accounts = append(details.accounts, listingDetails{
			number: fmt.Sprint("12/", i), institution: "Sample\x00 ☃", holders: make([]portfolio.Holder, i),
		})
	}
	details.accounts[0].holders = nil
	return links, details
}

func TestPackedAccountsAreUnpackedAsTheyWere(t *testing.T) {
	t.Parallel()
	links, details := packedSamples()
	gotLinks, err := unpackLinks(links.pack())
	if got, want := fmt.Sprintf("%v", gotLinks), fmt.Sprintf("%v", links); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	gotDetails, ok := unpackDetails(details.pack())
	if got, want := fmt.Sprintf("%v", gotDetails), fmt.Sprintf("%v", details); !ok || got != want {
		t.Errorf("got %s, %t, want %s", got, ok, want)
	}
	if _, err := unpackLinks(accountLinks{}.pack()); err != nil {
		t.Errorf("no accounts: %v", err)
	}
	if _, ok := unpackDetails(accountDetails{}.pack()); !ok {
		t.Error("no accounts: got no details")
	}
}

// FuzzUnpackAccounts unpacks arbitrary bytes. What is accepted is packed as it was.
func FuzzUnpackAccounts(f *testing.F) {
	links, details := packedSamples()
	f.Add(links.pack())
	f.Add(details.pack())
	f.Add([]byte{})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := unpackLinks(b); err == nil && len(l.pack()) > len(b) {
			t.Errorf("got %v of %x, which packs to more", l, b)
		}
		if d, ok := unpackDetails(b); ok && len(d.pack()) > len(b) {
			t.Errorf("got %v of %x, which packs to more", d, b)
		}
	})
}

// BenchmarkOpenAccounts opens what is sealed of a portfolio with eight accounts.
func BenchmarkOpenAccounts(b *testing.B) {
	box, err := secret.NewBox(secret.RandomKey(), secret.Key{ID: "k1", Secret: secret.RandomKey()})
	if err != nil {
		b.Fatal(err)
	}
	s, st := &DB{box: box}, &statement.Statement{}
	for i := range 8 {
		h := statement.Holder{Name: "Asha Vijay Example", PAN: "AAAPZ9999A"}
		st.Accounts = append(st.Accounts, statement.Account{
			Kind: statement.Folio, Number: fmt.Sprint(i), Key: fmt.Sprint(i), Institution: "Sample Mutual Fund", Holders: []statement.Holder{h}, Owner: h,
		})
	}
	stated := s.stateAccounts("demo:asha", "pf_1", st)
	found := portfolio.FindOwners(nil, stated.Stated)
	links := newLinks(found, stated.listed)
	sealed := s.sealAccounts("pf_1", found, st.Accounts)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := s.openAccounts("pf_1", links, sealed); !ok {
			b.Fatal("it cannot be opened")
		}
	}
}
