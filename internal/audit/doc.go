// Package audit defines the audit trail: who did what to whom, when and from where, and the
// proof that no record was changed or removed.
//
//	writer wr_1:  record 1 ◀─MAC─ record 2 ◀─MAC─ record 3     head 1: Seq 3, sealed
//	writer wr_2:  record 1 ◀─MAC─ record 2                     head 2: Seq 2, sealed
//
// Rules:
//
//  1. A change and its record are one transaction; the store writes both.
//  2. Records hold no tokens and no portfolio content. Of persons they hold ids and the
//     source of the request, which an erasure removes.
//  3. Each process writes to chains of its own, each with a writer id and a number without
//     gaps. It continues chains of processes that have ended, so that there are no more chains
//     than transactions at one time.
//  4. The MAC of an entry is a keyed hash over its content and the MAC of the entry before
//     it, so a change breaks all later MACs.
//  5. The source of a request enters the MAC as a keyed hash, so that removing the source
//     does not break the chain.
//  6. The sealed head says how long the chain is, so removing its end is detected. It also
//     has the State of all chains when a process created or continued this one, and an Anchor, kept
//     elsewhere, has that of another time: an older head that was put back is detected. A chain is
//     not continued if the State that it has does not hold any more.
//  7. Frequent events (reused tokens, reads, refused calls) go through Recorder, which bounds how
//     many records they become.
//  8. The hashed form of an entry must never change.
//  9. Retention removes the beginning of a chain and leaves a sealed Stump, from which the
//     rest is verified. The number of records without a chain is sealed.
//
// Without an Anchor, Verify cannot detect that an earlier state of the whole database was
// restored, or that the newest chains were removed completely.
package audit
