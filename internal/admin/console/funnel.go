package console

import (
	"slices"
	"time"

	"casbroker/internal/token"
)

// step is one stage of the import of a statement.
type step struct {
	Stage   token.Stage
	At      time.Time // when it was reached first; zero if it was not
	Reached bool
	Stopped bool // the import did not get there from the stage before
}

// funnel shows how far the import with one token came, and why it stopped there.
type funnel struct {
	Steps []step
	Why   string     // a sentence; "" if the statement was saved
	Call  token.Call // that failed; zero without one
}

// newFunnel draws s.
func newFunnel(s token.Session) funnel {
	var f funnel
	reached := s.Reached()
	for i, stage := range token.Stages() {
		st := step{Stage: stage, Reached: i < len(reached), Stopped: i == len(reached)}
		if st.Reached {
			st.At = reached[i]
		}
		f.Steps = append(f.Steps, st)
	}
	f.Call, _ = s.Stopped()
	f.Why = whyStopped(s, f.Call)
	return f
}

// whyStopped returns why s went no further; failed is the call that failed, if any.
func whyStopped(s token.Session, failed token.Call) string {
	switch stage := s.Stage(); {
	case stage == token.StageSaved:
		return ""
	case s.Mode == token.ModeDirect:
		return "The page calls the vendor itself with a direct token, so the broker does not see what happens."
	case failed.ID != "":
		return label(callOutcomes, failed.Outcome) + "."
	case slices.ContainsFunc(s.Calls, func(c token.Call) bool { return c.EndedAt.IsZero() }):
		return "A call is in progress."
	case stage == token.StageParsed:
		return "The broker has not saved the statement: it is saved when the page posts it (gateway.capture), or it was refused; see the log."
	case stage == token.StageIssued && s.State == token.StateActive:
		return "No call was made with this token yet."
	case stage == token.StageIssued:
		return "No call was made with this token."
	default:
		return "No statement was sent to the vendor."
	}
}

// stages are the labels of the stages of an import.
var stages = []choice{
	{string(token.StageIssued), "Token issued"},
	{string(token.StageOpened), "Opened"},
	{string(token.StageUploaded), "Uploaded"},
	{string(token.StageParsed), "Parsed"},
	{string(token.StageSaved), "Saved"},
}

// callOutcomes are the labels of the outcomes of calls, as package gateway names them.
var callOutcomes = []choice{
	{"ok", "Succeeded"},
	{"vendor_error", "The vendor reported an error"},
	{"refused", "The broker did not pass the call on"},
	{"refused_key", "The vendor refused the API key"},
	{"out_of_credits", "The vendor's account is out of credits"},
	{"bad_answer", "The vendor's answer was unusable"},
	{"unreachable", "The vendor did not answer"},
	{"timeout", "The vendor did not answer in time"},
	{"aborted", "The upload or the answer broke off"},
	{"unknown", "How the call ended was not recorded"},
}

// endings are the labels of how a grant ended.
var endings = []choice{
	{string(token.EndedByExpiry), "expired"},
	{string(token.EndedByUser), "ended by the user"},
	{string(token.EndedByOperator), "revoked by an operator, or with the user's block"},
}
