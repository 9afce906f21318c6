// Package token hands out short-lived access tokens: the vendor's own (direct), or the
// broker's for use at the gateway.
//
//	POST /v1/token ─▶ Service.Issue ─▶ AccessPolicy: blocked? revoked?
//	                    │ reuse the cached token, or:
//	                    ├─▶ Minter      mint at the vendor, or seal a GatewayToken
//	                    ├─▶ GrantStore  record the grant and its audit record
//	                    └─▶ Cache       keep the token, sealed
//
// Rules:
//
//  1. One token per user, lifetime and mode is cached, and reused until MinRemaining of its
//     life is left.
//  2. A token leaves only after its grant is durable.
//  3. A token that was revoked while it was minted is not handed out; the mint is
//     repeated once.
//  4. Concurrent requests for the same new token share one mint, unless a change of
//     access came between them.
//  5. A Pool, if there is one, is the Minter. Its tokens belong to nobody until Mint hands
//     one out, which happens after AccessPolicy.Admit; so a revocation before that has no
//     bearing on them.
//  6. The broker stores no token in clear: sealed in the cache and the pool, as a keyed
//     hash in the grant.
//
// The answer is appended field by field, with jsontext.AppendQuote for the token and the
// grant id. The escaping costs some 0.3 µs in BenchmarkAnswer and nothing that
// shows on the token path: 6.77 µs a request without it and 6.74 µs with it
// (BenchmarkTokenWithManyBlocked in app).
package token
