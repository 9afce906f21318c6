package admin

import (
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/link"
	"casbroker/internal/portfolio"
	"casbroker/internal/token"
)

type grantView struct {
	ID              string      `json:"id"`
	Subject         string      `json:"subject"`
	Mode            token.Mode  `json:"mode"`
	State           token.State `json:"state"`
	IssuedAt        time.Time   `json:"issued_at"`
	ExpiresAt       time.Time   `json:"expires_at"`
	RevokedAt       time.Time   `json:"revoked_at,omitzero"`
	VendorRequestID string      `json:"vendor_request_id"`
	// UpstreamValidUntil is when a revoked token expires at the vendor, where it still
	// works; zero, and left out, if it does not.
	UpstreamValidUntil time.Time `json:"upstream_valid_until,omitzero"`
	UpstreamNote       string    `json:"upstream_note,omitempty"` // why it still works
}

func viewGrant(k token.GrantInfo, now time.Time) grantView {
	v := grantView{
		ID: k.ID, Subject: k.Subject, Mode: k.Mode, State: k.State, IssuedAt: k.IssuedAt, ExpiresAt: k.ExpiresAt,
		RevokedAt: k.RevokedAt, VendorRequestID: k.VendorRequestID,
	}
	if v.UpstreamValidUntil = k.UpstreamUntil(now); !v.UpstreamValidUntil.IsZero() {
		v.UpstreamNote = access.UpstreamNote
	}
	return v
}

// sessionView is a grant with what happened under its token.
type sessionView struct {
	grantView
	token.SessionView
}

func viewGrants(list []token.GrantInfo, now time.Time) []grantView {
	views := make([]grantView, len(list))
	for i, k := range list {
		views[i] = viewGrant(k, now)
	}
	return views
}

type grantList struct {
	Grants     []grantView `json:"grants"`
	NextCursor *string     `json:"next_cursor"`
}

type userList struct {
	Users      []UserRow `json:"users"`
	NextCursor *string   `json:"next_cursor"`
}

// changeView is a change of the access of one user or of all.
type changeView struct {
	Kind    access.Kind `json:"kind"`
	Subject string      `json:"subject"` // "" for all users
	GrantID string      `json:"grant_id,omitempty"`
	Reason  string      `json:"reason,omitempty"`
	Until   time.Time   `json:"until,omitzero"`
	At      time.Time   `json:"at"`
	Actor   string      `json:"actor"`
}

func viewHistory(list []access.Change) []changeView {
	views := make([]changeView, len(list))
	for i, c := range list {
		views[i] = changeView{c.Kind, c.Subject, c.GrantID, c.Reason, c.Until, c.At, c.Actor}
	}
	return views
}

type userView struct {
	Subject          string                      `json:"subject"`
	Block            *access.ActiveBlock         `json:"block"`
	History          []changeView                `json:"history"`
	Grants           []grantView                 `json:"grants"`
	GrantsNextCursor *string                     `json:"grants_next_cursor"`
	Portfolios       []portfolio.Metadata        `json:"portfolios"`
	PortfoliosTotal  int                         `json:"portfolios_total"`
	Accounts         []portfolio.AccountMetadata `json:"accounts"`
	AccountsTotal    int                         `json:"accounts_total"`
	Links            []link.Metadata             `json:"links"`
}

func viewUser(u User, now time.Time) userView {
	return userView{
		Subject: u.Subject, Block: u.Block, History: viewHistory(u.History), Grants: viewGrants(u.Grants.Grants, now), GrantsNextCursor: orNull(u.Grants.Next),
		Portfolios: orEmpty(u.Portfolios), PortfoliosTotal: u.PortfolioCount,
		Accounts: orEmpty(u.Accounts), AccountsTotal: u.AccountCount, Links: orEmpty(u.Links),
	}
}

type recordList struct {
	Records    []audit.View `json:"records"`
	NextCursor *string      `json:"next_cursor"`
}

func viewRecords(list []audit.Entry) []audit.View {
	views := make([]audit.View, len(list))
	for i, e := range list {
		views[i] = e.View()
	}
	return views
}

type overviewView struct {
	LiveTokens   *int        `json:"live_tokens"` // null if they cannot be counted
	BlockedUsers int64       `json:"blocked_users"`
	Health       []Component `json:"health"`
}

type settingsView struct {
	Version  string    `json:"version"`
	Settings []Setting `json:"settings"`
}

// orNull returns the cursor of the next page, nil if there is none.
func orNull(cursor string) *string {
	if cursor == "" {
		return nil
	}
	return &cursor
}

// orEmpty returns list, or an empty list that JSON does not write as null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
