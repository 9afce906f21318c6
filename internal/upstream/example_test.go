package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/upstream"
)

func ExampleClient_Mint() {
	vendor := httptest.NewServer(sandbox.New(sandbox.Options{APIKey: "the-key"}))
	defer vendor.Close()

	client := upstream.New(upstream.Options{URL: vendor.URL, APIKey: "the-key"})
	minted, err := client.Mint(context.Background(), 15*time.Minute)
	fmt.Println(minted.ExpiresIn, err)

	client = upstream.New(upstream.Options{URL: vendor.URL, APIKey: "a-wrong-key"})
	_, err = client.Mint(context.Background(), 15*time.Minute)
	fmt.Println(errors.Is(err, upstream.ErrRefusedKey))
	// Output:
	// 15m0s <nil>
	// true
}
