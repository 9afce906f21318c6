package auth

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Roles says which claims hold a caller's roles and which of their values mean
// what. A nil list takes its default, an empty one is empty.
type Roles struct {
	// Claims are names of claims, or dotted paths into nested ones
	// ("realm_access.roles"); default "roles" and "scope". A string is split at
	// spaces, the strings of an array are taken as they are.
	Claims []string

	User    []string // default nil: every verified caller is a user
	Service []string // default "casbroker:service"
	Admin   []string // default "casbroker:admin"
}

func (r Roles) check(wrong *complaints, key string) {
	for _, name := range r.Claims {
		wrong.when(name == "", key+".claims", "a name is empty")
		wrong.when(slices.Contains(registered, name), key+".claims", "%q cannot hold roles", name)
	}
	for _, list := range []struct {
		name   string
		values []string
	}{{"user", r.User}, {"service", r.Service}, {"admin", r.Admin}} {
		wrong.when(slices.Contains(list.values, ""), key+"."+list.name, "a value is empty")
	}
}

// grants is Roles ready for use.
type grants struct {
	paths    []string
	byValue  map[string]Role
	everyone Role // what each verified caller has
}

func (r Roles) compile() grants {
	g := grants{paths: r.Claims, byValue: make(map[string]Role)}
	if r.Claims == nil {
		g.paths = []string{"roles", "scope"}
	}
	if r.Service == nil {
		r.Service = []string{"casbroker:service"}
	}
	if r.Admin == nil {
		r.Admin = []string{"casbroker:admin"}
	}
	if len(r.User) == 0 {
		g.everyone = RoleUser
	}
	for role, values := range map[Role][]string{RoleUser: r.User, RoleService: r.Service, RoleAdmin: r.Admin} {
		for _, value := range values {
			g.byValue[value] |= role
		}
	}
	return g
}

// of returns the roles that claims, a JSON object, give.
func (g *grants) of(claims jsontext.Value) Role {
	if len(claims) == 0 {
		return g.everyone
	}
	// The claims were decoded before, so reading them again cannot fail.
	dec := jsontext.NewDecoder(bytes.NewBuffer(claims))
	return g.everyone | g.object(dec, g.paths)
}

// object reads one object, of which the members at paths count.
func (g *grants) object(dec *jsontext.Decoder, paths []string) Role {
	var role Role
	if _, err := dec.ReadToken(); err != nil {
		return 0
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return 0
		}
		here, below := descend(paths, name.String())
		role |= g.member(dec, here, below)
	}
	_, _ = dec.ReadToken() // the closing brace
	return role
}

// descend returns whether one of paths is name, and what is left of those that
// go on below it. Names with dots in them are found as well.
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

func (g *grants) member(dec *jsontext.Decoder, here bool, below []string) Role {
	switch kind := dec.PeekKind(); {
	case kind == '{' && len(below) > 0:
		return g.object(dec, below)
	case kind == '"' && here:
		return g.words(dec)
	case kind == '[' && here:
		return g.elements(dec)
	default:
		_ = dec.SkipValue()
		return 0
	}
}

func (g *grants) words(dec *jsontext.Decoder) (role Role) {
	t, err := dec.ReadToken()
	if err != nil {
		return 0
	}
	for word := range strings.FieldsSeq(t.String()) {
		role |= g.byValue[word]
	}
	return role
}

func (g *grants) elements(dec *jsontext.Decoder) (role Role) {
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
		role |= g.byValue[t.String()]
	}
	_, _ = dec.ReadToken()
	return role
}
