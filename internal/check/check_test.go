package check_test

import (
	"fmt"
	"testing"

	"casbroker/internal/check"
)

func ExampleErrors() {
	var wrong check.Errors
	attempts := 0
	wrong.Require(attempts >= 1, "upstream.attempts", "want 1 or more, not %d", attempts)
	wrong.URL("upstream.url", "http://api.example")
	fmt.Println(wrong.Join())
	// Output:
	// upstream.attempts: want 1 or more, not 0
	// upstream.url: want https; http is allowed for this machine only
}

func TestURLNeedsHTTPSExceptOnThisMachine(t *testing.T) {
	t.Parallel()
	for address, valid := range map[string]bool{
		"https://api.example":            true,
		"https://api.example/v1":         true,
		"http://localhost:8080":          true,
		"http://127.0.0.1:8080":          true,
		"http://[::1]:8080":              true,
		"http://api.example":             false,
		"http://localhost.api.example":   false,
		"ftp://api.example":              false,
		"api.example":                    false,
		"":                               false,
		"https://user@api.example":       false,
		"https://api.example?key=secret": false,
		"https://api.example#part":       false,
	} {
		var wrong check.Errors
		if wrong.URL("key", address); (wrong.Join() == nil) != valid {
			t.Errorf("%q: got %v, want valid: %v", address, wrong.Join(), valid)
		}
	}
}
