package auth

import (
	"context"
	"strings"
)

// Role is what a caller may do.
type Role uint8

// The roles; a caller may hold several.
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
	// Subject is the caller's id everywhere in the broker: the verifier's name, a
	// colon, and the token's "sub". Names hold no colon, so two verifiers can
	// never mean the same Subject.
	Subject string
	Roles   Role
}

// Has reports whether the caller holds role.
func (p Principal) Has(role Role) bool { return p.Roles&role != 0 }

type principalKey struct{}

// seat is a place in a context for a Principal who is not known yet.
type seat struct{ who *Principal }

// Reserve returns a context in which With seats the caller later without making
// another context, which for a request would mean another copy of the request.
// The context and what comes of it belong to one request.
func Reserve(ctx context.Context) context.Context {
	return context.WithValue(ctx, principalKey{}, &seat{})
}

// With returns a context that carries p: ctx itself when a seat is reserved in it.
func With(ctx context.Context, p *Principal) context.Context {
	if s, ok := ctx.Value(principalKey{}).(*seat); ok && s.who == nil {
		s.who = p
		return ctx
	}
	return context.WithValue(ctx, principalKey{}, &seat{who: p})
}

// From returns the caller that With put in, or the zero Principal, which holds no role.
func From(ctx context.Context) Principal {
	if s, ok := ctx.Value(principalKey{}).(*seat); ok && s.who != nil {
		return *s.who
	}
	return Principal{}
}

// RoleOf names the roles of the caller that ctx carries, "" when it carries none.
func RoleOf(ctx context.Context) string { return From(ctx).Roles.String() }
