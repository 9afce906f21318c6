// Package gateway lets a browser use the vendor's API with a token of the broker. Each
// call is checked here, gets the API key, and is streamed to the vendor.
//
//	browser ── x-api-key: at_… ──▶ Handler ── x-api-key: the API key ──▶ vendor
//	             │ token: authentic, not expired
//	             │ access: not blocked, not revoked
//	             │ allow-list: method, path, the token's features
//	             │ limits: requests, uploads in progress
//	             │ ownership: sessions, addresses and mailboxes of the same user
//	             ▼
//	           httputil.ReverseProxy
//
// Rules:
//
//  1. All checks but the request limit and the ownership are local. A refused call never
//     reaches the vendor.
//  2. The path that is called at the vendor comes from the allow-list, not from the
//     request, except for an id of a fixed form that is stored as the caller's: whatever is
//     not exactly a path of the list is 404.
//  3. Only listed headers pass, in both directions. Cookies, the caller's address and
//     token, and the account's credits do not.
//  4. No document is held in memory as a whole, but for the copy of a parsed statement
//     (Captures). Bodies have a size limit and a time limit.
//     Forms and JSON objects with a document are checked while they pass (document.go): one
//     file that is a PDF, one field of each name, no pdf_url of a private network. The
//     vendor gets no whole body of one that is refused.
//  5. A call is sent once. It is repeated only if nothing of it was sent, on a connection
//     that turned out to be closed; a second parse would cost credits.
//  6. Refusals have the vendor's shape (Dialect). The vendor's own errors pass with their
//     words, since the widget recognizes a wrong password by the word "password".
//  7. If the vendor refuses the API key, the caller gets 502: its own token is fine.
//  8. A caller that leaves while its statement is parsed does not end the parse: it costs
//     credits, and the copy of the answer is saved. The end of an answer is passed on once
//     its copy is stored, or after a second: what a caller has completely received is not
//     lost with the process. Copying never makes a call fail.
//  9. What a call makes at the vendor is stored as its user's before the answer is given.
//     Another user's is the same 404 as one that does not exist.
//
// 10. The vendor's inbox token reaches no browser. Pages have a handle (inbox.go).
// 11. A call that costs credits or makes something is recorded, within budgets, before the
// vendor gets it, and settled afterwards, also if its caller has left (Calls).
//
// 12. Polls for the files of a forwarding address are answered from the database (mail.go).
// The vendor is asked once in a while for all replicas, or reports files to Inbound, which
// believes nothing but the secret in the path.
package gateway
