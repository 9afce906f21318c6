package httpapi

import "cmp"

// compatProblem adds to a Problem the members at which front ends of other back ends look
// for a failure.
type compatProblem struct {
	Problem
	Success bool   `json:"success"`
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Message string `json:"message"`
	Msg     string `json:"msg"` // as the vendor's own errors have it
}

// Compat is the Dialect of the drop-in routes: error, message and msg are the detail.
func Compat(p Problem) any {
	text := cmp.Or(p.Detail, p.Title)
	return compatProblem{Problem: p, Error: text, Message: text, Msg: text}
}
