package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"casbroker/internal/sandbox"
)

// A Sandbox is an http.Handler: a test serves it on a loopback port, points its
// client there and injects the failures that it wants to see handled.
func ExampleNew() {
	vendor := sandbox.New(sandbox.Options{APIKey: "sk_example", Credits: 5})
	server := httptest.NewServer(vendor)
	defer server.Close()

	mint := func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL+"/v1/token", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("x-api-key", "sk_example")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
		fmt.Println(resp.Status)
	}
	mint()

	vendor.AddFault(sandbox.Fault{Path: "/v1/token", Times: 1, Kind: sandbox.FaultStatus, Status: http.StatusServiceUnavailable})
	mint()
	mint()
	fmt.Println(vendor.Calls("/v1/token"), "calls,", vendor.IssuedTokens(), "tokens")

	// Output:
	// 200 OK
	// 503 Service Unavailable
	// 200 OK
	// 3 calls, 2 tokens
}
