package audit

import (
	"context"
	"slices"
	"strings"
	"time"

	"casbroker/internal/id"
)

// Action is the kind of event that a Record is about.
type Action string

// The actions that are recorded.
const (
	TokenMint    Action = "token.mint"
	TokenReuse   Action = "token.reuse"   // a cached token was handed out; counted or one by one, by setting
	TokenRevoke  Action = "token.revoke"  // of one grant, the Object
	RevokeUser   Action = "access.revoke" // of all grants of the Subject
	RevokeAll    Action = "access.revoke_all"
	UserBlock    Action = "access.block"
	UserUnblock  Action = "access.unblock"
	UserRead     Action = "user.read"     // of a user's statements by the user; counted or one by one, by setting
	ServiceRead  Action = "service.read"  // of a user's data by a service; counted or one by one, by setting
	AccessRefuse Action = "access.refuse" // a call was refused; Detail is the reason

	PortfolioSave    Action = "portfolio.save"
	PortfolioDiffers Action = "portfolio.differs" // a posted statement differs from what the broker saw
	PortfolioDelete  Action = "portfolio.delete"
	PortfolioExpire  Action = "portfolio.expire" // deleted by Retention
	DataExport       Action = "data.export"
	DataErase        Action = "data.erase" // of all data about a user but the audit records

	MailboxConnect    Action = "mailbox.connect" // through the gateway
	MailboxDisconnect Action = "mailbox.disconnect"

	MailConsent  Action = "mail_parsing.consent" // to keep the password of forwarded statements, or another password
	MailWithdraw Action = "mail_parsing.withdraw"

	LinkCreate Action = "link.create" // of a hosted link, the Object; Detail is its end
	LinkRevoke Action = "link.revoke"
	LinkUse    Action = "link.use" // by which a session of it began

	BudgetReached Action = "budget.reached" // for the first time in its period; Object is its name
	BudgetRaise   Action = "budget.raise"   // by an operator; Object is its name
	WebhookChange Action = "webhook.change" // by an operator; Object is its name, Detail says what was done
	LogLevel      Action = "log.level"      // changed by an operator; Object is the level, or "setting"

	AdminRead    Action = "admin.read"     // of personal data; Object says which
	AdminSignIn  Action = "admin.sign_in"  // refused for a wrong key; Object is the claimed key name
	AdminSignOut Action = "admin.sign_out" // also when the broker ended the session
	AuditExport  Action = "audit.export"
	AuditExpire  Action = "audit.expire" // records were deleted by Retention; Detail is their number
	BrokerStart  Action = "broker.start" // Object is the fingerprint of the settings in force
)

// Actions are all of them.
var Actions = []Action{
	TokenMint, TokenReuse, TokenRevoke, RevokeUser, RevokeAll, UserBlock, UserUnblock, UserRead, ServiceRead, AccessRefuse,
	PortfolioSave, PortfolioDiffers, PortfolioDelete, PortfolioExpire, DataExport, DataErase,
	MailboxConnect, MailboxDisconnect, MailConsent, MailWithdraw, LinkCreate, LinkRevoke, LinkUse, BudgetReached, BudgetRaise, WebhookChange, LogLevel,
	AdminRead, AdminSignIn, AdminSignOut, AuditExport, AuditExpire, BrokerStart,
}

// Reads are the actions that change nothing.
var Reads = []Action{UserRead, ServiceRead, AdminRead}

// Known reports whether a is one of Actions.
func (a Action) Known() bool { return slices.Contains(Actions, a) }

// Outcome is the result of an event.
type Outcome string

// The outcomes. An allowed call that failed changed nothing; it is in the log instead.
const (
	OK      Outcome = "ok"
	Refused Outcome = "refused" // it was not allowed
)

// The actors other than callers.
const (
	Retention = "retention" // the job that deletes old data
	Broker    = "broker"    // the program itself
)

// RoleBroker is the role of events that no caller caused. No caller has it.
const RoleBroker = "broker"

// maxUserAgent is the length to which a User-Agent header is cut, in bytes.
const maxUserAgent = 200

// Source is where a request came from.
type Source struct {
	RequestID string
	Address   string // the caller's IP address, past trusted proxies
	UserAgent string // cut to 200 bytes
}

// Record is one event of the audit trail.
type Record struct {
	ID      string // "au_…"
	At      time.Time
	Actor   string // a Principal's subject, that of a service that acts for one, Retention or Broker
	Role    string // the roles of the actor, "user, admin"
	Action  Action
	Subject string // the user whose data or token it was
	Object  string // the id of the grant, portfolio or other thing concerned
	Outcome Outcome
	Detail  string // a reason, a count or a time, from a few stable words; nothing personal
	Source
}

// New returns a Record with the outcome OK, and with the Source and the role from ctx. If
// actor is a user for whom a service makes the request, the service is the Actor.
func New(ctx context.Context, at time.Time, actor string, action Action, subject, object string) Record {
	r := Record{
		ID: id.New("au"), At: at, Actor: actor, Role: RoleBroker, Action: action,
		Subject: subject, Object: object, Outcome: OK,
	}
	if o, ok := ctx.Value(originKey{}).(*origin); ok {
		r.Source = o.source
		caller := o.caller(ctx, &r.Source)
		r.Role = caller.Role
		if caller.Service != "" && caller.User == actor {
			r.Actor = caller.Service
		}
	}
	return r
}

// WithRole returns r with role instead of the role of the request's caller.
func (r Record) WithRole(role string) Record {
	r.Role = role
	return r
}

// Anonymous returns r without the address and user agent of the request.
func (r Record) Anonymous() Record {
	r.Address, r.UserAgent = "", ""
	return r
}

// WithDetail returns r with a detail: a reason, a count or a time.
func (r Record) WithDetail(detail string) Record {
	r.Detail = detail
	return r
}

// Refused returns r with the outcome Refused and the reason as its detail.
func (r Record) Refused(reason string) Record {
	r.Outcome, r.Detail = Refused, reason
	return r
}

type originKey struct{}

// Caller is what a Record has about the caller of a request.
type Caller struct {
	Role    string // the roles, "user, admin"
	Service string // the service that makes the request for User; "" if User makes it
	User    string
}

// FindCaller returns the caller of the request that ctx belongs to. It may hide parts of the
// Source that are not to be recorded.
type FindCaller func(ctx context.Context, s *Source) Caller

// origin is a Source and a function that finds the caller.
type origin struct {
	source Source
	caller FindCaller
}

// WithSource returns a context that carries s. New calls caller with its own context, since
// the caller is not authenticated yet when the source is known.
func WithSource(ctx context.Context, s Source, caller FindCaller) context.Context {
	if len(s.UserAgent) > maxUserAgent {
		s.UserAgent = s.UserAgent[:maxUserAgent]
	}
	s.UserAgent = strings.ToValidUTF8(s.UserAgent, "") // a header may hold any byte, a database column may not
	return context.WithValue(ctx, originKey{}, &origin{s, caller})
}

// SourceOf returns the Source that ctx carries, or the zero Source.
func SourceOf(ctx context.Context) Source {
	if o, ok := ctx.Value(originKey{}).(*origin); ok {
		return o.source
	}
	return Source{}
}
