package apikey

import (
	"context"

	"casbroker/internal/secret"
)

// Static is a single key that is always used, without a pace.
type Static secret.Text

// Take returns the key.
func (s Static) Take(context.Context, Use) (*Key, error) {
	return &Key{Name: "default", Value: secret.Text(s)}, nil
}

// First returns the key.
func (s Static) First(ctx context.Context) (*Key, error) { return s.Take(ctx, Use{}) }

// None is for an upstream that takes no API key: requests are sent without one.
type None struct{}

// Take returns a key without a value.
func (None) Take(context.Context, Use) (*Key, error) { return &Key{}, nil }
