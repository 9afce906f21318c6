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

// With returns a context that carries p.
func With(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns the caller that With put in, or the zero Principal, which holds no role.
func From(ctx context.Context) Principal {
	if p, ok := ctx.Value(principalKey{}).(*Principal); ok {
		return *p
	}
	return Principal{}
}
