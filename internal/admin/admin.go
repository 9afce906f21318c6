// Package admin is what operators may do and see: find users and grants, block and
// revoke, read the audit trail, the counts and the settings. It is thin: the rooms do
// the work. What reads about persons is put on record before it is answered.
package admin

import (
	"context"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/token"
	"casbroker/internal/usage"
)

// Service is where an operator sits: each call is made by whom its context names, who
// has to hold auth.RoleAdmin. All fields are required. It is safe for concurrent use.
type Service struct {
	Access   *access.Service
	Grants   *token.Directory
	Users    Users
	Shelf    portfolio.Shelf
	Trail    *audit.Service
	Usage    *usage.Service
	Vendor   CreditsReader
	Version  string                                // of the broker
	Settings []Setting                             // in force, without secrets
	Health   func(ctx context.Context) []Component // how what the broker leans on does
	Now      func() time.Time
}

// CreditsReader reports the credits of the broker's account at the vendor. Its errors
// are faults.
type CreditsReader interface {
	Credits(ctx context.Context) (Credits, error)
}

// Credits describes the broker's account at the vendor. Numbers are decimal strings.
type Credits struct {
	Used      string    `json:"used"`
	Remaining string    `json:"remaining,omitempty"` // "" when unlimited
	Limit     string    `json:"limit"`               // "" when the vendor names none
	Unlimited bool      `json:"unlimited"`
	ResetsAt  time.Time `json:"resets_at,omitzero"`
	Features  []string  `json:"features"` // enabled for the account, as the vendor names them
	AsOf      time.Time `json:"as_of"`    // when the vendor reported this
}

// Users finds users by what is kept of them. Nobody is a user who never had a token,
// a portfolio or a block.
type Users interface {
	// FindUsers returns up to limit users that f wants, in the order of the bytes of
	// their subjects, past after.
	FindUsers(ctx context.Context, f UserFilter, after string, limit int, now time.Time) ([]UserRow, error)
	// LiveGrants counts the access tokens that are alive and count.
	LiveGrants(ctx context.Context, now time.Time) (int, error)
}

// UserFilter says which users are wanted.
type UserFilter struct {
	Prefix  string // with which their subjects begin, "" for any
	Blocked bool   // only those with a block in force; false is for all
}

// UserRow is a user in a list.
type UserRow struct {
	Subject     string    `json:"subject"`
	Blocked     bool      `json:"blocked"`
	LiveTokens  int       `json:"live_tokens"`
	LastTokenAt time.Time `json:"last_token_at,omitzero"`
	Portfolios  int       `json:"portfolios"`
}

// UserPage is a part of a list of users.
type UserPage struct {
	Users []UserRow
	Next  string // the cursor of the next page; "" on the last
}

// User is what operators see of one user.
type User struct {
	Subject        string
	Block          *access.ActiveBlock // nil for none
	History        []access.Change     // of blocks and revocations, the newest, as access.Service.History has them
	Grants         token.Page          // the newest
	Portfolios     []portfolio.About
	PortfolioCount int // of all, which Portfolios may be a part of
}

// Overview is how it stands now.
type Overview struct {
	LiveTokens *int  // nil when they cannot be counted
	Blocked    int64 // users; one whose block ended in the last minute may be among them
	Health     []Component
}

// The states of a Component.
const (
	OK       = "ok"
	Degraded = "degraded" // it works in part, or a fallback replaces it
	Down     = "down"
	Unused   = "unused" // the settings do not use it
)

// Component is a dependency of the broker and its state.
type Component struct {
	Name  string `json:"name"`  // "database", "cache", "vendor", "revocations"
	State string `json:"state"` // OK, Degraded, Down or Unused
	Note  string `json:"note"`  // a sentence for operators; "" when there is nothing to say
}

// Setting is one setting in force.
type Setting struct {
	Key     string `json:"key"`     // "upstream.url"
	Value   string `json:"value"`   // as in the settings file, "[secret]" for what is hidden
	Default bool   `json:"default"` // nobody set it otherwise
}
