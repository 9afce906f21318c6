package portfolio_test

import (
	"fmt"

	"casbroker/internal/portfolio"
)

func ExampleOwnerOf() {
	saved := []portfolio.Rank{{Owner: 1, PANHashes: panHashes("AAAPZ9999A")}}
	for _, pan := range []string{"AAAPZ9999A", "AA******9A", "BBBPZ8888B", ""} {
		owner, other := portfolio.OwnerOf(saved, panHashes(pan))
		fmt.Printf("%q: owner %d, another person: %t\n", pan, owner, other)
	}
	// Output:
	// "AAAPZ9999A": owner 1, another person: false
	// "AA******9A": owner 1, another person: false
	// "BBBPZ8888B": owner 2, another person: true
	// "": owner 1, another person: false
}
