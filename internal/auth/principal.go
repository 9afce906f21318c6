package auth

import (
	"context"
	"strings"
)

// Role is a set of permissions of a caller.
type Role uint8

// The roles; a caller may have several.
const (
	RoleUser    Role = 1 << iota // acts for itself
	RoleService                  // the app's back end: acts for any user
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
	// Subject.
	Subject string
	Roles   Role
}

// Has reports whether the caller has role, or one of them if role combines several.
func (p Principal) Has(role Role) bool { return p.Roles&role != 0 }

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

// RoleOf returns the names of the roles of the caller in ctx, "" if there is none.
func RoleOf(ctx context.Context) string { return From(ctx).Roles.String() }
