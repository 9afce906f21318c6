package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/budget"
	"casbroker/internal/config"
	"casbroker/internal/credit"
	"casbroker/internal/fault"
	"casbroker/internal/gateway"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
	"casbroker/internal/upstream"
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

// newBudgets returns what reports on the calls of a ledger.
func newBudgets(c config.Config, ledger *budget.Ledger, db *store.DB) *budget.Service {
	s := &budget.Service{Ledger: ledger, Store: db}
	for _, v := range c.Auth.Verifiers {
		s.Apps = append(s.Apps, v.Name)
	}
	return s
}

// newComparer returns what compares the recorded calls with the vendor's usage. The usage of
// all keys is added up.
func newComparer(
	c config.Config, keys *apikey.Pool, vendor *upstream.Client, db *store.DB, metrics *telemetry.Metrics, log *slog.Logger, now func() time.Time,
) *budget.Comparer {
	usage := func(ctx context.Context, from, to time.Time) (all []budget.VendorUsage, err error) {
		for _, key := range keys.All() {
			list, err := vendor.Usage(ctx, key, from, to)
			if err != nil {
				return nil, usageFault(key.Name, err)
			}
			all = append(all, list...)
		}
		return all, nil
	}
	return &budget.Comparer{
		Vendor: usage, Store: db, Jobs: db, Retention: c.Retention.Calls, Log: log, Now: now,
		OnCompared: func(c budget.Comparison) {
			byFeature := map[string]float64{}
			for _, f := range c.Features[1:] {
				byFeature[f.Feature] = f.Difference().Float()
			}
			metrics.SetUsageDifferences(byFeature)
		},
	}
}

// usageFault returns err of asking the vendor for the usage of a key, in words for operators,
// who alone get it.
func usageFault(keyName string, err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return err
	}
	return f.Withf("The vendor's usage of the API key %s cannot be read. %s", keyName, cmp.Or(f.Note, f.Detail))
}

// budgetJobs returns the jobs of calls and budgets.
func budgetJobs(c config.Config, budgets *budget.Service, comparer *budget.Comparer, db *store.DB, metrics *telemetry.Metrics) []job {
	jobs := []job{
		{name: "settle calls", every: settleEvery, atStart: true, do: budgets.Ledger.SettleOverdue},
		{name: "delete old counters of budgets", every: expireEvery, do: func(ctx context.Context) error {
			return db.DropCounters(ctx, budgets.Ledger.Now())
		}},
	}
	if usesGateway(c) && !c.Upstream.OnPremise() {
		jobs = append(jobs, job{name: "compare usage with the vendor", every: compareEvery, atStart: true, do: comparer.Run})
	}
	if len(c.Budgets) > 0 {
		jobs = append(jobs, job{name: "measure budgets", every: settleEvery, atStart: true, do: func(ctx context.Context) error {
			states, err := budgets.States(ctx)
			for _, b := range states {
				metrics.SetBudget(b.Name, b.Most.Float(), b.Credits.Float())
			}
			return err
		}})
	}
	return jobs
}
