// Package apikey hands out the vendor's API keys: which key a request gets, and when.
//
//	gateway, upstream ── Take ──▶ Pool ── Reserve ──▶ Pacer (package cache, all replicas)
//	        │                      ▲  ▲
//	        │ the vendor's answer  │  └── Check: key files, keys that are set aside, credits
//	        └────── Key.Report ────┘
//
// Rules:
//
//  1. An app with keys of its own (Settings.Apps) uses only these. The other apps share the
//     keys that name no app. What was made with a key is asked for with that key (Use.Only):
//     another one may be of another account.
//  2. Requests are distributed by weight over the keys that can be used. A key whose account
//     has used Options.SwitchAt of its credits gets requests only if no other key can.
//  3. A key that the vendor refuses is set aside: callers do not try it again. Check asks
//     the vendor for its credits, which costs nothing: after 1 minute, then after twice as
//     long each time, up to 15 minutes; after 5 minutes if the credits were used up. A file
//     with a new key ends it at once. After a 403 without a code Check asks after 1 second: the key
//     is refused, its credits are used up, or, if neither, the 403 was about the request. Only the replica that saw the refusal sets it aside.
//  4. After the vendor's 429, the key rests for the Retry-After, or 60 s, on all replicas
//     (Options.OnHold, Hold). Callers who wait for a turn of it are refused at once. Then one
//     request a second is sent, until one is not answered with 429.
//  5. Requests are paced so that there are at most Settings.Rate in any 60 seconds, by the
//     generic cell rate algorithm: a burst of a sixth of the rate, and the rest evenly. Polls
//     may use half of the burst, so that a turn is left for parses. A turn is reserved, so
//     callers wait in order, on all replicas, and none asks twice.
//  6. Values are never logged. Names are, once for each change.
package apikey
