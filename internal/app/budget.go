package app

import (
	"context"
	"log/slog"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/config"
	"casbroker/internal/credit"
	"casbroker/internal/gateway"
	"casbroker/internal/secret"
	"casbroker/internal/telemetry"
)

// budgetsOf returns the budgets of the settings.
func budgetsOf(c config.Config) []budget.Budget {
	list := make([]budget.Budget, len(c.Budgets))
	for i, b := range c.Budgets {
		list[i] = budget.Budget{
			Name: b.Name, Scope: budget.Scope(b.Scope), App: b.App, Period: budget.Period(b.Period),
			Credits: credit.Amount(b.Credits), Soft: b.Soft,
		}
	}
	return list
}

// newLedger returns what records calls of the gateway.
func newLedger(
	c config.Config, db budget.Store, box *secret.Box, metrics *telemetry.Metrics, log *slog.Logger, now func() time.Time,
) *budget.Ledger {
	longest := c.Gateway.UploadTimeout + max(c.Gateway.ParseTimeout, c.Gateway.OTPTimeout, c.Gateway.Timeout) + time.Minute
	return &budget.Ledger{
		Store: db, Budgets: budgetsOf(c), Digest: box.Digest, Lease: max(budget.MinLease, longest), Log: log, Now: now,
		OnSettled: func(c budget.Call) {
			metrics.CountCredits(c.Feature, c.KeyName, c.Used.Float(), c.Delivery == budget.Unknown)
		},
		OnReached: func(r budget.Reached) { metrics.CountBudgetReached(r.Budget.Name) },
	}
}

// gatewayCalls records the calls of the gateway in a ledger.
type gatewayCalls struct{ ledger *budget.Ledger }

// Begin records a call before the vendor gets it.
func (g gatewayCalls) Begin(ctx context.Context, c gateway.Call) (string, error) {
	return g.ledger.Begin(ctx, budget.Call{
		Subject: c.Subject, GrantID: c.GrantID, RequestID: c.RequestID, Feature: c.Feature, Reserved: c.Price,
	})
}

// End records how a call ended.
func (g gatewayCalls) End(ctx context.Context, id string, r gateway.CallResult) error {
	return g.ledger.End(ctx, id, budget.Result{
		Outcome: r.Outcome, Reason: r.Reason, KeyName: r.KeyName, Delivery: budget.Delivery(r.Delivery), Used: r.Used,
	})
}
