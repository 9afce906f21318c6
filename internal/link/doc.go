// Package link lets an app without a front end have a user import a statement: a hosted link
// is the URL of a page of the broker's, for one user and for a limited time.
//
//	             start                        save
//	 new ─────────────────▶ opened ───────────────────▶ completed
//	  │                       │                             ▲
//	  │ expiry, revocation    │ expiry, revocation          │ the gateway has saved a statement
//	  ▼                       ▼                             │
//	expired, revoked ◀────────┴─────────────────────────────┘
//
// The rules:
//
//   - The token in the URL has 256 random bits and is stored as a keyed hash. It is in no log:
//     routes are logged by their pattern, and the page takes it out of the address bar and sends
//     it in the Authorization header from then on.
//   - Loading the page changes nothing, so a program that previews links uses up none. A link is
//     opened when the person presses the button, which starts a session: the browser makes a
//     secret, which is stored as a keyed hash as well, so a start whose answer was lost can be
//     repeated. A link for use once has one session and ends within an hour of its start; one
//     until saved has a session for each browser, until one of these has saved.
//   - A session can get access tokens of the gateway, save, and report steps. Nothing that is
//     stored about the user can be read with it.
//   - Whether a link is valid is decided by the database, each time. A block of the user, a
//     revocation of all of the user's tokens and an erasure end the user's links; access tokens
//     that were handed out under a link end with it.
//   - When an opened link ends, that is one event in the transaction that ends it:
//     link.completed, or link.abandoned if nothing was saved.
//   - What the app gives for the page (return URL, settings of the widget, prefilled values) is
//     sealed. Steps are from a closed list of names, and so without personal data.
package link
