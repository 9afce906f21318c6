// Package audit has the words of the audit trail: who did what to whom, when and
// from where. Records hold no tokens, no portfolio content, and of persons
// nothing but ids and where requests came from, which an erasure takes out.
// Keeping them is the store's work, in the same transaction as the change itself.
package audit

import (
	"context"
	"slices"
	"strings"
	"time"

	"casbroker/internal/id"
)

// Action is what was done.
type Action string

// The actions that are recorded.
const (
	TokenMint    Action = "token.mint"
	TokenReuse   Action = "token.reuse"   // a token was given again; counted or one by one, by setting
	TokenRevoke  Action = "token.revoke"  // of one grant, which is the Object
	RevokeUser   Action = "access.revoke" // of all grants of the Subject
	RevokeAll    Action = "access.revoke_all"
	UserBlock    Action = "access.block"
	UserUnblock  Action = "access.unblock"
	AccessRefuse Action = "access.refuse" // a call was turned away at the door; Detail says why

	PortfolioSave   Action = "portfolio.save"
	PortfolioDelete Action = "portfolio.delete"
	PortfolioExpire Action = "portfolio.expire" // by Retention, not by anybody's wish
	DataExport      Action = "data.export"
	DataErase       Action = "data.erase" // of all that is kept of a user but these records

	AdminRead    Action = "admin.read"     // of personal data; Object says which
	AdminSignIn  Action = "admin.sign_in"  // refused when the key was wrong; Object is whose it was said to be
	AdminSignOut Action = "admin.sign_out" // also when the session was ended for it
	AuditExport  Action = "audit.export"
	BrokerStart  Action = "broker.start" // Object is the fingerprint of the settings in force
)

// Actions are all of them.
var Actions = []Action{
	TokenMint, TokenReuse, TokenRevoke, RevokeUser, RevokeAll, UserBlock, UserUnblock, AccessRefuse,
	PortfolioSave, PortfolioDelete, PortfolioExpire, DataExport, DataErase,
	AdminRead, AdminSignIn, AdminSignOut, AuditExport, BrokerStart,
}

// Known reports whether a is one of Actions.
func (a Action) Known() bool { return slices.Contains(Actions, a) }

// Outcome is how it ended.
type Outcome string

// The outcomes. What was allowed and could not be done changed nothing, and is in the log.
const (
	OK      Outcome = "ok"
	Refused Outcome = "refused" // it was not allowed
)

// The actors that are no callers.
const (
	Retention = "retention" // deletes what is old enough
	Broker    = "broker"    // the program itself
)

// RoleBroker is the role, held by no caller, of what the program does without being
// asked.
const RoleBroker = "broker"

// maxUserAgent is how much of a User-Agent header is kept, in bytes.
const maxUserAgent = 200

// Source is where a request came from.
type Source struct {
	RequestID string
	Address   string // the caller's IP address, past trusted proxies
	UserAgent string // cut to 200 bytes
}

// Record is one line of the audit trail.
type Record struct {
	ID      string // "au_…"
	At      time.Time
	Actor   string // who did it: a Principal's subject, Retention or Broker
	Role    string // the roles that the actor held: "user, admin"
	Action  Action
	Subject string // whose data or token it was
	Object  string // the id of the grant, portfolio, … that it was done to
	Outcome Outcome
	Detail  string // a reason, a count or a time, in a few stable words; nothing personal
	Source
}

// New returns a Record of what actor did to object of subject, with the Source and
// the role that ctx carries. Its outcome is OK.
func New(ctx context.Context, at time.Time, actor string, action Action, subject, object string) Record {
	r := Record{
		ID: id.New("au"), At: at, Actor: actor, Role: RoleBroker, Action: action,
		Subject: subject, Object: object, Outcome: OK,
	}
	if o, ok := ctx.Value(originKey{}).(*origin); ok {
		r.Source, r.Role = o.source, o.role(ctx)
	}
	return r
}

// As returns r with another role than that of the request's caller.
func (r Record) As(role string) Record {
	r.Role = role
	return r
}

// Anonymous returns r without where the request came from.
func (r Record) Anonymous() Record {
	r.Address, r.UserAgent = "", ""
	return r
}

// Saying returns r with a detail: a reason, a count or a time, in a few stable words.
func (r Record) Saying(detail string) Record {
	r.Detail = detail
	return r
}

// Refused returns r as the record of what was not allowed, and why.
func (r Record) Refused(reason string) Record {
	r.Outcome, r.Detail = Refused, reason
	return r
}

type originKey struct{}

// origin is a Source, and how to find out which role its caller holds.
type origin struct {
	source Source
	role   func(context.Context) string
}

// WithSource returns a context that carries s. role finds the role of the caller in
// the context that New is given: when the source is known, its caller is not yet.
func WithSource(ctx context.Context, s Source, role func(context.Context) string) context.Context {
	if len(s.UserAgent) > maxUserAgent {
		s.UserAgent = s.UserAgent[:maxUserAgent]
	}
	s.UserAgent = strings.ToValidUTF8(s.UserAgent, "") // a header may hold any byte, SQL text may not
	return context.WithValue(ctx, originKey{}, &origin{s, role})
}

// SourceOf returns what WithSource put in, or the zero Source.
func SourceOf(ctx context.Context) Source {
	if o, ok := ctx.Value(originKey{}).(*origin); ok {
		return o.source
	}
	return Source{}
}
