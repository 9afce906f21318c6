package config_test

import (
	"fmt"

	"casbroker/internal/config"
)

func ExampleLoad() {
	settings, err := config.Load(config.Default(), "", []string{
		"CASBROKER_TOKEN_LIFETIME=30m",
		"CASBROKER_PORTFOLIO_MAX_BODY=2MiB",
		"CASBROKER_UPSTREAM_ATTEMPT=5",
	})
	fmt.Println(settings.Token.Lifetime, int64(settings.Portfolio.MaxBody))
	fmt.Println(err)
	// Output:
	// 30m0s 2097152
	// CASBROKER_UPSTREAM_ATTEMPT: there is no such setting
}
