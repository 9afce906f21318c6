package store

import (
	"context"
	"database/sql"
)

// dialect has the true differences between the databases.
type dialect struct {
	name     string               // also the migrations folder
	goose    string               // what the migration library calls it
	lockFile string               // held while migrating; "" where the database itself has locks
	lock     string               // makes all who ask for it with the same $1 take turns; "" where all writers do
	share    string               // as lock, but those who share do not wait for one another
	skip     string               // appended to a SELECT that takes rows, and passes over those that others have
	shred    string               // has what was deleted leave the files; "" where that is the operator's to do
	down     func(err error) bool // the database is not to be reached, or cannot write now

	// insert writes the rows of a new portfolio.
	insert func(ctx context.Context, tx *sql.Tx, row *sealed) error
}

// The columns of what a portfolio consists of. Those of holdings and transactions
// are also the order in which their rows are written.
const (
	portfolioFilled = `id, subject, fingerprint, provenance, cas_type, period_from, period_to, private, total_value,
		received_rows, stored_rows, findings, saved_ms, owner, active, pan_marks, transactions`
	holdingFilled = `portfolio, seq, class, isin, name, account, institution, category,
		units, price, value, cost, gain, sum_assured`
	transactionFilled = `portfolio, seq, holding, date, type, units, nav, amount, balance`
)
