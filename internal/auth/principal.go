package auth

import (
	"cmp"
	"context"
	"strings"
)

// Role is a set of permissions of a caller.
type Role uint8

// The roles; a caller may have several.
const (
	RoleUser    Role = 1 << iota // acts for itself
	RoleService                  // the app's back end: has AllScopes
	RoleAdmin                    // operates the broker
)

// String returns the names of the roles in r, such as "user, admin".
func (r Role) String() string {
	var names []string
	for _, role := range []struct {
		is   Role
		name string
	}{{RoleUser, "user"}, {RoleService, "service"}, {RoleAdmin, "admin"}} {
		if r&role.is != 0 {
			names = append(names, role.name)
		}
	}
	return strings.Join(names, ", ")
}

// Principal is an authenticated caller.
type Principal struct {
	// Subject is the caller's id throughout the broker: the verifier's name, a colon, and
	// the token's "sub". Names contain no colon, so two verifiers cannot produce the same
	// Subject. For a service key it is "key:" and the key's name.
	Subject string
	Roles   Role
	Scopes  Scope // what the caller, or the Actor, may do for other users

	// Actor is the Subject of the service that acts for the user Subject; "" for a caller
	// that acts for itself.
	Actor string
}

// By returns the id of whoever makes the call: the Actor, or the caller itself.
func (p Principal) By() string { return cmp.Or(p.Actor, p.Subject) }

// Has reports whether the caller has role, or one of them if role combines several.
func (p Principal) Has(role Role) bool { return p.Roles.has(role) }

func (r Role) has(one Role) bool { return r&one != 0 }

type principalKey struct{}

// slot is a context value for a Principal that may be set later.
type slot struct{ who *Principal }

// Reserve returns a context in which With can set the caller later without making
// another context, which for a request would mean copying the request. The context and
// those derived from it must be used for one request only.
func Reserve(ctx context.Context) context.Context {
	return context.WithValue(ctx, principalKey{}, &slot{})
}

// With returns a context that carries p. It is ctx itself if a slot is reserved in it.
func With(ctx context.Context, p *Principal) context.Context {
	if s, ok := ctx.Value(principalKey{}).(*slot); ok && s.who == nil {
		s.who = p
		return ctx
	}
	return context.WithValue(ctx, principalKey{}, &slot{who: p})
}

// From returns the caller that With set, or the zero Principal, which has no role.
func From(ctx context.Context) Principal {
	if s, ok := ctx.Value(principalKey{}).(*slot); ok && s.who != nil {
		return *s.who
	}
	return Principal{}
}

// RoleOf returns the names of the roles of the caller in ctx, "" without a caller. That of
// an Actor is RoleService.
func RoleOf(ctx context.Context) string {
	who := From(ctx)
	if who.Actor != "" && who.Scopes != 0 {
		return RoleService.String()
	}
	return who.Roles.String()
}
