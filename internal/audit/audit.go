// Package audit has the words of the audit trail: who did what to whom, when and
// from where. Records hold no tokens, no personal data and no portfolio content.
// Keeping them is the store's work, in the same transaction as the change itself.
package audit

import (
	"context"
	"strings"
	"time"

	"casbroker/internal/id"
)

// Action is what was done.
type Action string

// The actions that are recorded.
const (
	TokenMint       Action = "token.mint"
	PortfolioSave   Action = "portfolio.save"
	PortfolioDelete Action = "portfolio.delete"
	PortfolioExpire Action = "portfolio.expire" // by Retention, not by anybody's wish
	DataExport      Action = "data.export"
	DataErase       Action = "data.erase" // of all that is kept of a user but these records
)

// Retention is the actor of what is deleted because it is old enough.
const Retention = "retention"

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
	Actor   string // who did it: a Principal's subject, or Retention
	Action  Action
	Subject string // whose data or token it was
	Object  string // the id of the grant, portfolio, … that it was done to
	Source
}

// New returns a Record of what actor did to object of subject, with the Source
// that ctx carries.
func New(ctx context.Context, at time.Time, actor string, action Action, subject, object string) Record {
	return Record{
		ID: id.New("au"), At: at, Actor: actor, Action: action,
		Subject: subject, Object: object, Source: SourceOf(ctx),
	}
}

// Anonymous returns r without where the request came from.
func (r Record) Anonymous() Record {
	r.Address, r.UserAgent = "", ""
	return r
}

type sourceKey struct{}

// WithSource returns a context that carries s.
func WithSource(ctx context.Context, s Source) context.Context {
	if len(s.UserAgent) > maxUserAgent {
		s.UserAgent = s.UserAgent[:maxUserAgent]
	}
	s.UserAgent = strings.ToValidUTF8(s.UserAgent, "") // a header may hold any byte, SQL text may not
	return context.WithValue(ctx, sourceKey{}, &s)
}

// SourceOf returns what WithSource put in, or the zero Source.
func SourceOf(ctx context.Context) Source {
	if s, ok := ctx.Value(sourceKey{}).(*Source); ok {
		return *s
	}
	return Source{}
}
