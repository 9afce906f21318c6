package admin

import (
	"context"
	"strings"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/budget"
)

// CallReader finds calls through the gateway.
type CallReader interface {
	// CallsOfRequest returns up to limit calls that a request caused, the oldest first.
	CallsOfRequest(ctx context.Context, requestID string, limit int) ([]budget.Call, error)
}

// maxOfRequest is how many records and calls of a request are explained.
const maxOfRequest = 100

// The results of what is known of a request.
const (
	resultRefused = "refused"
	resultDone    = "done"
	resultFailed  = "failed" // at the vendor
)

// Finding is one thing that is recorded of a request.
type Finding struct {
	At      time.Time `json:"at"`
	Result  string    `json:"result"` // refused, done or failed
	What    string    `json:"what"`   // the route, the action of the audit trail, or the feature of the call
	Subject string    `json:"subject"`
	Code    string    `json:"code"`   // of a refusal or failure, "" otherwise
	Reason  string    `json:"reason"` // what tells refusals with one code apart, often ""
	Why     string    `json:"why"`
	Remedy  string    `json:"remedy"` // "" if there is nothing to do
}

// Explanation is what is known of a request.
type Explanation struct {
	RequestID string    `json:"request_id"`
	Known     bool      `json:"known"`
	Findings  []Finding `json:"findings"` // the oldest first
	Note      string    `json:"note"`     // why nothing is known, "" if something is
}

// unknownRequest says why nothing may be known of a request.
const unknownRequest = "Nothing is recorded of this request. Recorded are refusals (401, 402, 403, 429), within some seconds, changes, and calls to the vendor. " +
	"Other errors, and answers that went well, are only in the log, under this request_id. Of many refusals of one address in a minute only the first are recorded one by one. "

// Why returns what is known of a request, above all why it was refused.
func (s *Service) Why(ctx context.Context, requestID string) (Explanation, error) {
	if err := checkText(requestID); err != nil {
		return Explanation{}, err
	}
	page, err := s.Trail.Find(ctx, audit.Filter{RequestID: requestID}, "", maxOfRequest)
	if err != nil {
		return Explanation{}, err
	}
	calls, err := s.Calls.CallsOfRequest(ctx, requestID, maxOfRequest)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{RequestID: requestID, Findings: []Finding{}}
	for i := range page.Entries { // newest first
		e.Findings = append(e.Findings, explainRecord(page.Entries[len(page.Entries)-1-i]))
	}
	for _, c := range calls {
		e.Findings = append(e.Findings, explainCall(c))
	}
	if e.Known = len(e.Findings) > 0; !e.Known {
		e.Note = unknownRequest + s.recordsKept()
	}
	return e, s.auditRead(ctx, "", "request")
}

// recordsKept says how long audit records are kept.
func (s *Service) recordsKept() string {
	if s.KeepRecords <= 0 {
		return "Records are kept forever."
	}
	return "Records older than " + s.KeepRecords.String() + " are deleted (retention.audit)."
}

func explainRecord(r audit.Entry) Finding {
	f := Finding{At: r.At, Result: resultDone, What: string(r.Action), Subject: r.Subject, Why: "This was done, by " + r.Actor + "."}
	if r.Outcome != audit.Refused {
		return f
	}
	f.Result = resultRefused
	if r.Action == audit.AccessRefuse {
		f.What = r.Object
	}
	f.Code, f.Reason, _ = strings.Cut(r.Detail, ":")
	a := adviceFor(f.Code, f.Reason)
	f.Why, f.Remedy = a.why, a.remedy
	return f
}

func explainCall(c budget.Call) Finding {
	f := Finding{At: c.StartedAt, Result: resultDone, What: c.Feature, Subject: c.Subject, Why: "The vendor answered the call."}
	switch {
	case c.EndedAt.IsZero():
		f.Why = "The call is not over, or its end was not recorded yet."
	case c.Reason != "":
		a := adviceFor(c.Reason, "")
		f.Result, f.Code, f.Why, f.Remedy = resultFailed, c.Reason, a.why, a.remedy
	}
	if c.KeyName != "" {
		f.Why += " It was made with the API key " + c.KeyName + "."
	}
	return f
}
