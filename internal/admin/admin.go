// Package admin serves what operators may do and see: find users and grants, block and
// revoke, read the audit trail, the usage counts and the settings. It delegates to the
// domain packages. Every read of personal data is audited before it is answered.
package admin

import (
	"context"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/fault"
	"casbroker/internal/link"
	"casbroker/internal/portfolio"
	"casbroker/internal/token"
)

// ErrNoCredits is returned for the credits of a parser that the operator runs.
var ErrNoCredits = fault.New(fault.NotFound, "no_credits", "The parser runs on premises and costs no credits.")

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

// Users finds users. A subject is listed once it has had a token, a portfolio or a
// block.
type Users interface {
	// FindUsers returns up to limit users that match f, in byte order of their subjects,
	// beginning after the subject after.
	FindUsers(ctx context.Context, f UserFilter, after string, limit int, now time.Time) ([]UserRow, error)
	// LiveGrants counts the active access tokens: not expired and not revoked.
	LiveGrants(ctx context.Context, now time.Time) (int, error)
}

// UserFilter selects users.
type UserFilter struct {
	Prefix  string // of their subjects, "" for all
	Blocked bool   // only users who are blocked now
}

// UserRow is a user in a list.
type UserRow struct {
	Subject     string    `json:"subject"`
	Blocked     bool      `json:"blocked"`
	LiveTokens  int       `json:"live_tokens"`
	LastTokenAt time.Time `json:"last_token_at,omitzero"`
	Portfolios  int       `json:"portfolios"`
}

// UserPage is one page of a list of users.
type UserPage struct {
	Users []UserRow
	Next  string // the cursor of the next page; "" on the last
}

// User is what operators see about one user.
type User struct {
	Subject        string
	Block          *access.ActiveBlock         // nil for none
	History        []access.Change             // the newest blocks and revocations, as in access.Service.History
	Grants         token.Page                  // the newest
	Portfolios     []portfolio.Metadata        // the newest
	PortfolioCount int                         // of all portfolios
	Accounts       []portfolio.AccountMetadata // those seen last
	AccountCount   int                         // of all accounts
	Links          []link.Metadata             // the newest hosted links
}

// Overview is the current state of the broker.
type Overview struct {
	LiveTokens *int  // nil if they cannot be counted
	Blocked    int64 // users; a block that ended within the last minute may still count
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
	Name  string `json:"name"`  // "database", "cache", "vendor", "api_keys", "revocations", "secret_files", "clock"
	State string `json:"state"` // OK, Degraded, Down or Unused
	Note  string `json:"note"`  // a sentence for operators; "" when there is nothing to say
}

// Setting is one setting in force.
type Setting struct {
	Key     string `json:"key"`     // "upstream.url"
	Value   string `json:"value"`   // as in the settings file, "[secret]" for what is hidden
	Words   string `json:"words"`   // what the value means, such as "15 minutes" or "off"
	Default bool   `json:"default"` // the value is the default
	Source  string `json:"source"`  // where it comes from: "default", "environment", "file" or "program"
}
