package auth

import (
	"slices"
	"strings"
)

// Scope is a set of calls that a service may make for users.
type Scope uint16

// The scopes; a service may have several.
const (
	ScopeTokenWrite      Scope = 1 << iota // get and revoke access tokens
	ScopeStatementsWrite                   // have statements parsed and saved
	ScopePortfoliosRead                    // read all that the broker stores about a user
	ScopePortfoliosWrite                   // save and delete portfolios
	ScopeUsersErase                        // erase a user
	ScopeEventsRead                        // read events of users that it may act for, and of none
	endOfScopes

	AllScopes = endOfScopes - 1
)

// ScopeService is the name of AllScopes, unless Roles.Service has other names.
const ScopeService = "casbroker:service"

// scopeNames are the names of single scopes, as tokens and settings have them.
var scopeNames = []struct {
	scope Scope
	name  string
}{
	{ScopeTokenWrite, "token:write"},
	{ScopeStatementsWrite, "statements:write"},
	{ScopePortfoliosRead, "portfolios:read"},
	{ScopePortfoliosWrite, "portfolios:write"},
	{ScopeUsersErase, "users:erase"},
	{ScopeEventsRead, "events:read"},
}

// ScopeNames returns the names that a service key may have as its scopes.
func ScopeNames() []string {
	names := []string{ScopeService}
	for _, s := range scopeNames {
		names = append(names, s.name)
	}
	return names
}

// parseScope returns the scope with this name, or 0 for an unknown name.
func parseScope(name string) Scope {
	if name == ScopeService {
		return AllScopes
	}
	for _, s := range scopeNames {
		if s.name == name {
			return s.scope
		}
	}
	return 0
}

// Has reports whether s has every scope in all.
func (s Scope) Has(all Scope) bool { return s&all == all }

// String returns the names of the scopes in s, such as "token:write, portfolios:read".
func (s Scope) String() string {
	if s == AllScopes {
		return ScopeService
	}
	var names []string
	for _, one := range scopeNames {
		if s&one.scope != 0 {
			names = append(names, one.name)
		}
	}
	return strings.Join(names, ", ")
}

// needed says which scopes allow a call that needs s.
func (s Scope) needed() string {
	if s == AllScopes {
		return "the scope " + ScopeService
	}
	return "the scope " + s.String() + " or " + ScopeService
}

// validScopes reports whether names are those of one or more scopes.
func validScopes(names []string) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return parseScope(name) == 0 })
}
