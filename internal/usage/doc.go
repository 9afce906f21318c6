// Package usage counts what the broker does, by minute, hour and day, for the operators'
// charts. All replicas add to the same counts.
//
//	request ─▶ Counter (in memory) ── Flush, every few seconds ─▶ Store ─▶ Service.Stats
//
// Rules:
//
//  1. An event belongs to the minute in which it is counted, not to that of the next Flush.
//  2. A Flush that fails keeps its counts for the next one. After a lost connection a flush
//     may be counted twice, but never not at all.
//  3. While the database is down, at most 20,000 counts wait. The oldest minutes are dropped
//     first, then hours; days last.
//  4. Minutes are kept for 2 days, hours for 60 days, days for 3 years.
//
// Counter is a map under a mutex. A count takes some 0.25 µs, against 0.1 µs with lock-free
// cells (BenchmarkCounter/Token on one processor): 2% of a token request of 6.7 µs in process.
package usage
