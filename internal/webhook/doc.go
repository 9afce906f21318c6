// Package webhook tells back ends what has happened: it hands out events when they ask,
// and sends them to endpoints as Standard Webhooks describe.
//
//	a change ──emit── events (same transaction) ──Feed── position ──┬── GET /v1/events, which may wait
//	                                                                └── a delivery for each endpoint ── Deliverer ── Sender
//
// The rules:
//
//   - An event is written in the transaction of the change that it is about: there is none
//     without the other.
//   - Events are thin: ids, the user, times and stable codes. Whoever needs more asks for
//     it, and gets what is true by then.
//   - Events are read in the order of their positions. On PostgreSQL, transactions commit in
//     another order than that in which they inserted, so positions are given afterwards, by
//     one transaction at a time that holds the row with the last position: an event that is
//     committed later has a greater one, and no reader skips it. The alternative, to read
//     only what is older than the oldest running transaction, costs no writes but lets one
//     forgotten transaction, of whatever program in that PostgreSQL, stop all events.
//   - An erasure removes the user from its events, except from that of the erasure itself.
//   - The pending deliveries of one user to one endpoint are a queue, which one replica
//     reserves for the time of a try. It sends them one after the other, so a user's events
//     arrive in their order; the next one waits until the one before was taken or given up.
//     An event is sent again if the replica dies before it has recorded the answer.
//
// Measured on two shared, busy cores: 460 events/s from the change to the receiver on SQLite and
// 160 on PostgreSQL (BenchmarkEvents), where the changes, blocks that wait for one another, came
// at 860/s and 190/s; at 100 saves/s an event arrives 3 ms after the answer to its save on SQLite
// and 2 ms on PostgreSQL, p99 202 and 43 ms (BenchmarkSaveToWebhook).
//
// Three parts are written by hand although there are libraries. riverqueue/river can enqueue
// a job in our transactions, through database/sql, but only its paid edition runs jobs in
// sequences: in a try with 50 users, whose first event failed once, the events of all 50
// arrived out of order, since each job is retried by itself. A job also cost 240 us to insert
// into SQLite, within a transaction, and a row of events 7 us. doyensec/safeurl checks
// addresses as late as a dialer here does, but with a list of allowed networks it refuses all
// others, so "public addresses and these networks" cannot be said; it also refuses IPv6 or
// every port but 80 and 443 unless told all of them. And the official library for signatures
// has no v1a.
package webhook
