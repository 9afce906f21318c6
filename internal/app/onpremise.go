package app

import (
	"context"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/apikey"
	"casbroker/internal/config"
	"casbroker/internal/gateway"
	"casbroker/internal/token"
	"casbroker/internal/upstream"
)

// gatewayKeys returns what hands out the API keys of calls: none on premises.
func gatewayKeys(c config.Config, keys *apikey.Pool) gateway.Keys {
	if c.Upstream.OnPremise() {
		return apikey.None{}
	}
	return keys
}

// refuseTokens returns the answer to every request for a token, nil if there are tokens.
func refuseTokens(c config.Config) error {
	if c.Upstream.OnPremise() {
		return token.ErrUnavailable
	}
	return nil
}

// creditsReader returns what reports the vendor's credits.
func creditsReader(c config.Config, vendor *upstream.Client, now func() time.Time) admin.CreditsReader {
	if c.Upstream.OnPremise() {
		return noCredits{}
	}
	return &upstream.CreditsCache{Source: vendor, Now: now}
}

// noCredits is the CreditsReader of a parser on premises.
type noCredits struct{}

// Credits returns admin.ErrNoCredits.
func (noCredits) Credits(context.Context) (admin.Credits, error) {
	return admin.Credits{}, admin.ErrNoCredits
}
