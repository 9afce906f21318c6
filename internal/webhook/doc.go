// Package webhook tells back ends what has happened: it hands out events when they ask.
//
//	a change ──emit── events (same transaction) ──Numberer── position ──┬── Feed: GET /v1/events, which may wait
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
package webhook
