// Package budget records the calls that cost the vendor's credits, and refuses those that
// no budget allows.
//
//	gateway ── Begin ──▶ one transaction: the call, open, with its price reserved;
//	   │                 the credits of the user, the app and all, by day and month
//	   │                 402 if a hard budget has less left
//	   ▼
//	 vendor
//	   │
//	   └──── End ──────▶ one transaction: outcome and credits of the call; the totals of
//	                     its day; the difference to what was reserved
//
// Rules:
//
//  1. SQL decides. A reservation is committed before the vendor is called, so several
//     replicas never exceed a budget together, and neither a broker that is killed nor a
//     cache that is lost changes anything. SQLite does not wait for the disk: its next
//     sync begins within 20 ms, before the vendor can have answered. So a power cut loses
//     at most calls that were in flight and had begun in the last milliseconds; the
//     comparison with the vendor's usage names them. PostgreSQL waits, unless it is told
//     otherwise.
//  2. Calls end in the background, on SQLite some milliseconds later, many in one
//     transaction. An open call counts with its price. One whose end is never recorded,
//     since the broker was killed, is settled at that price once its lease has ended.
//  3. A call that never reached the vendor costs nothing, and neither does one that failed,
//     except that the vendor charges for inbox pulls that fail.
//  4. Days and months are those of UTC.
//  5. The credits of a period are counted whether or not there is a budget, so a new budget
//     counts from the beginning of the period.
//  6. Amounts are integers of thousandths of a credit.
//
// The credits of a user's budgets are counted under a keyed hash of the subject. They stay
// until the period ends if the user's data is erased: erasing it does not refill a budget.
package budget
