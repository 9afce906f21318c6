package console

import "net/http"

// signInBody is the form that asks for an admin key.
type signInBody struct {
	Next      string // where to go then
	Ended     bool   // somebody was signed in
	Elsewhere bool   // who comes from another site may be signed in all the same
}

// isElsewhere reports whether r may come from a link of another site, with which
// browsers keep the cookie of the session to themselves.
func isElsewhere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "same-origin" && site != "none"
}
