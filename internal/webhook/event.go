package webhook

import (
	"slices"
	"time"

	"casbroker/internal/id"
)

// Type is what an event is about.
type Type string

// The types of events.
const (
	PortfolioSaved   Type = "portfolio.saved"   // new, readable again, or verified now
	PortfolioDiffers Type = "portfolio.differs" // what the page posted differs from what the broker saw
	PortfolioDeleted Type = "portfolio.deleted"
	StatementFailed  Type = "statement.failed" // a parse gave no statement
	TokenRevoked     Type = "token.revoked"    // one token, all of a user, or all
	UserBlocked      Type = "user.blocked"
	UserErased       Type = "user.erased"
	BudgetReached    Type = "budget.reached"
	KeySetAside      Type = "key.set_aside"
	MailArrived      Type = "mail.arrived"
	HoldingsChanged  Type = "holdings.changed"
	LinkCompleted    Type = "link.completed" // a statement was saved with a hosted link
	LinkAbandoned    Type = "link.abandoned" // a hosted link was opened, and has ended without
)

// Test is the type of a message that an operator sends to test an endpoint. It is no event.
const Test Type = "webhook.test"

// Types are all of them.
var Types = []Type{
	PortfolioSaved, PortfolioDiffers, PortfolioDeleted, StatementFailed, TokenRevoked, UserBlocked, UserErased,
	BudgetReached, KeySetAside, MailArrived, HoldingsChanged, LinkCompleted, LinkAbandoned,
}

// Known reports whether t is one of Types.
func (t Type) Known() bool { return slices.Contains(Types, t) }

// Object has the ids of what an event is about, "" for none.
type Object struct {
	PortfolioID string `json:"portfolio_id,omitempty"`
	GrantID     string `json:"grant_id,omitempty"`
	CallID      string `json:"call_id,omitempty"`
	JobID       string `json:"job_id,omitempty"`
	LinkID      string `json:"link_id,omitempty"`
	Address     string `json:"inbound_email_id,omitempty"`
	Budget      string `json:"budget,omitempty"`
	KeyName     string `json:"key_name,omitempty"`
	Reason      string `json:"reason,omitempty"` // a stable code
}

// Event says that something has happened. It has no personal data but Subject.
type Event struct {
	ID      string // "ev_…"
	Seq     int64  // its position, from 1; 0 until it has one
	Type    Type
	Subject string // the user whom it is about; "" for none, and once the user's data was erased
	At      time.Time
	Object  Object

	// Traceparent names the span in which it happened, in the form of tracing.Traceparent; "" without traces. The store
	// sets it.
	Traceparent string
}

// New returns an event with a new id. subject is "" for none.
func New(t Type, subject string, at time.Time, o Object) Event {
	return Event{ID: id.New("ev"), Type: t, Subject: subject, At: at, Object: o}
}

// Message is an event as receivers get it.
type Message struct {
	ID        string    `json:"id"`
	Type      Type      `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Subject string `json:"subject,omitempty"`
		Object
	} `json:"data"`
}

// Message returns e as receivers get it.
func (e Event) Message() Message {
	m := Message{ID: e.ID, Type: e.Type, Timestamp: e.At.UTC()}
	m.Data.Subject, m.Data.Object = e.Subject, e.Object
	return m
}
