// Package ingest takes statements from users, has the vendor parse them, and saves them.
//
//	document ─▶ Parser (checks, API key, pacing, budgets) ─▶ the vendor's answer
//	                                                          │ stored before its end is read
//	                                                          ▼
//	                                            Saver: a verified portfolio
//
// Rules:
//
//  1. The vendor is called once. What it answered is stored before anything else is done
//     with it, and saved by another process if this one is killed.
//  2. An Idempotency-Key is claimed before the document is read, so that a repetition does
//     not reach the vendor. The document's hash is known when it was sent.
//  3. A failure frees the key: nothing was saved.
//  4. A job (Jobs) is stored, with its document sealed, before its request is answered. It
//     is Running before the vendor gets the document, and never Waiting again unless the
//     vendor got nothing: a job whose process was killed while it ran fails, unless the
//     vendor's answer was stored.
//  5. A file that was forwarded by mail is parsed by a job, too, if its user has agreed that
//     the password is kept for that (mail.go).
//
// Jobs are rows of a table of ours (store/statementjobs.go), although riverqueue/river runs jobs
// in both databases and enqueues them in our transactions. In a try of v0.51.2 with documents
// of 60 kB on two shared, busy cores, PostgreSQL through database/sql:
//
//	                                      our table          river
//	insert in the transaction, SQLite     0.04 ms            1.6 ms (the document is base64 in JSON)
//	insert in the transaction, PostgreSQL 0.5 ms             10 ms
//	from the commit to the work           at once, here      60 ms on SQLite, 980 ms on PostgreSQL (it polls)
//	tables and migrations                 1                  5 and 8, with an order of their own
//	binary                                                   2.4 MB larger
//	SQLite at rest                        no rows written    12 rows written a minute
//
// It would replace about 200 of the 650 lines of Jobs and their table: taking, extending,
// returning and deleting. What decides stays, and four things get harder. A job whose process
// was killed is rescued after an hour by default, without a look at whether the vendor's answer
// was stored; here it ends within 20 s. A job is done in the transaction that saves its
// portfolio, which another process may make with the stored answer; river completes a job in
// the worker that runs it. An erasure and a new sealing key must reach documents inside the
// JSON of river's table. And a user's forwarded files come one at a time, which is a feature of
// its paid edition. The work that is repeated (retention, cleaning) needs a claim of 37 lines
// (store/jobs.go) or none, and re-sealing is a command that an operator waits for.
package ingest
