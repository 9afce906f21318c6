package secret_test

import (
	"errors"
	"fmt"

	"casbroker/internal/secret"
)

// A key is rotated in two steps: a new key is put in front, and once everything has
// been encrypted again, the old one is removed.
func ExampleBox() {
	hashKey := secret.RandomKey() // in a real program all keys come from the settings
	oldKey := secret.Key{ID: "2025", Secret: secret.RandomKey()}
	newKey := secret.Key{ID: "2026", Secret: secret.RandomKey()}

	before, err := secret.NewBox(hashKey, oldKey)
	if err != nil {
		panic(err)
	}
	sealed := before.Seal("portfolio/pf_1/raw", []byte("ten units"))

	both, err := secret.NewBox(hashKey, newKey, oldKey)
	if err != nil {
		panic(err)
	}
	plain, err := both.Open("portfolio/pf_1/raw", sealed)
	fmt.Printf("%s, %v\n", plain, err)
	sealed = both.Seal("portfolio/pf_1/raw", plain)
	id, _ := secret.KeyID(sealed)
	fmt.Println("encrypted again with", id)

	after, err := secret.NewBox(hashKey, newKey)
	if err != nil {
		panic(err)
	}
	plain, err = after.Open("portfolio/pf_1/raw", sealed)
	fmt.Printf("%s, %v\n", plain, err)
	_, err = after.Open("portfolio/pf_2/raw", sealed)
	fmt.Println("in another record:", errors.Is(err, secret.ErrOpen))
	// Output:
	// ten units, <nil>
	// encrypted again with 2026
	// ten units, <nil>
	// in another record: true
}

func ExampleText() {
	key := secret.Text("sk_live_1")
	fmt.Println(key, len(key.Reveal()))
	// Output: [secret] 9
}
