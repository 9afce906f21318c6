package portfolio_test

import (
	"fmt"

	"casbroker/internal/portfolio"
)

func ExampleFindOwners() {
	known := []portfolio.KnownOwner{{Number: 1, Person: person("Asha Example", "AAAPZ9999A"), Statements: 1}}
	for _, investor := range []portfolio.Person{
		person("Asha Example", "AA******9A"), person("Ravi Example", "BBBPZ8888B"), person("Asha Example", ""),
	} {
		found := portfolio.FindOwners(known, portfolio.Stated{Investor: investor})
		fmt.Printf("%s: owner %d, another person: %t, without a PAN: %t\n", investor.Name, found.Owner, found.Other, found.MissingPAN)
	}
	// Output:
	// Asha Example: owner 1, another person: false, without a PAN: false
	// Ravi Example: owner 2, another person: true, without a PAN: false
	// Asha Example: owner 1, another person: false, without a PAN: true
}
