package ratelimit_test

import (
	"fmt"

	"casbroker/internal/ratelimit"
)

func ExampleParse() {
	_, err := ratelimit.Parse("ratelimit", ratelimit.Settings{
		Token:    ratelimit.Limits{User: "30-M", Address: "600 per hour"},
		Failures: "60-M",
	})
	fmt.Println(err)
	// Output:
	// ratelimit.token.address: want a rate such as "30-M" (S, M, H or D), or "" for no limit: incorrect format '600 per hour'
}
