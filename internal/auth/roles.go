package auth

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/check"
)

// Roles says which claims hold a caller's roles and scopes, and which of their values give
// which role. An empty list means its default. The values of single scopes are their names.
type Roles struct {
	// Claims are names of claims, or dotted paths of nested ones ("realm_access.roles");
	// default "roles" and "scope". A string is split at spaces; the strings of an array
	// are used as they are.
	Claims []string

	User    []string // default: every verified caller is a user
	Service []string // default ScopeService; the role has AllScopes
	Admin   []string // default "casbroker:admin"
}

func (r Roles) check(wrong *check.Errors, key string) {
	for _, name := range r.Claims {
		wrong.Require(name != "", key+".claims", "a name is empty")
		wrong.Require(!slices.Contains(registered, name), key+".claims", "%q cannot hold roles", name)
	}
	for _, list := range []struct {
		name   string
		values []string
	}{{"user", r.User}, {"service", r.Service}, {"admin", r.Admin}} {
		wrong.Require(!slices.Contains(list.values, ""), key+"."+list.name, "a value is empty")
	}
}

// roleMapping is the compiled form of Roles.
type roleMapping struct {
	paths    []string
	byValue  map[string]permissions
	everyone permissions // those of every verified caller
}

// permissions are a set of roles (the lower byte) and scopes.
type permissions uint32

// permit returns the permissions of a role and of scopes.
func permit(role Role, scopes Scope) permissions { return permissions(scopes)<<8 | permissions(role) }

func (r Roles) compile() roleMapping {
	m := roleMapping{paths: r.Claims, byValue: make(map[string]permissions)}
	if len(r.Claims) == 0 {
		m.paths = []string{"roles", "scope"}
	}
	if len(r.Service) == 0 {
		r.Service = []string{ScopeService}
	}
	if len(r.Admin) == 0 {
		r.Admin = []string{"casbroker:admin"}
	}
	if len(r.User) == 0 {
		m.everyone = permit(RoleUser, 0)
	}
	for _, s := range scopeNames {
		m.byValue[s.name] |= permit(0, s.scope)
	}
	for p, values := range map[permissions][]string{
		permit(RoleUser, 0): r.User, permit(RoleService, AllScopes): r.Service, permit(RoleAdmin, 0): r.Admin,
	} {
		for _, value := range values {
			m.byValue[value] |= p
		}
	}
	return m
}

// of returns the roles and scopes in claims, a JSON object.
func (m *roleMapping) of(claims jsontext.Value) (Role, Scope) {
	p := m.everyone
	if len(claims) > 0 {
		// The claims were decoded before, so reading them again cannot fail.
		p |= m.object(jsontext.NewDecoder(bytes.NewBuffer(claims)), m.paths)
	}
	return Role(p & 0xff), Scope(p >> 8) //nolint:gosec // as permit put them together
}

// object returns the permissions in the members at paths of the next JSON object.
func (m *roleMapping) object(dec *jsontext.Decoder, paths []string) permissions {
	var p permissions
	if _, err := dec.ReadToken(); err != nil {
		return 0
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return 0
		}
		here, below := descend(paths, name.String())
		p |= m.member(dec, here, below)
	}
	_, _ = dec.ReadToken() // the closing brace
	return p
}

// descend reports whether one of paths is name, and returns the rest of those that lead
// below it. Names that contain dots are found too.
func descend(paths []string, name string) (here bool, below []string) {
	for _, path := range paths {
		rest, ok := strings.CutPrefix(path, name)
		switch {
		case ok && rest == "":
			here = true
		case ok && rest[0] == '.':
			below = append(below, rest[1:])
		}
	}
	return here, below
}

func (m *roleMapping) member(dec *jsontext.Decoder, here bool, below []string) permissions {
	switch kind := dec.PeekKind(); {
	case kind == '{' && len(below) > 0:
		return m.object(dec, below)
	case kind == '"' && here:
		return m.words(dec)
	case kind == '[' && here:
		return m.elements(dec)
	default:
		_ = dec.SkipValue()
		return 0
	}
}

func (m *roleMapping) words(dec *jsontext.Decoder) (p permissions) {
	t, err := dec.ReadToken()
	if err != nil {
		return 0
	}
	for word := range strings.FieldsSeq(t.String()) {
		p |= m.byValue[word]
	}
	return p
}

func (m *roleMapping) elements(dec *jsontext.Decoder) (p permissions) {
	_, _ = dec.ReadToken() // the opening bracket
	for dec.PeekKind() != ']' {
		if dec.PeekKind() != '"' {
			if dec.SkipValue() != nil {
				return 0
			}
			continue
		}
		t, err := dec.ReadToken()
		if err != nil {
			return 0
		}
		p |= m.byValue[t.String()]
	}
	_, _ = dec.ReadToken()
	return p
}
