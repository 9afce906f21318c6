package auth_test

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
)

func TestRolesComeFromTheConfiguredClaims(t *testing.T) {
	t.Parallel()
	nested := auth.Roles{Claims: []string{"realm_access.roles"}, Service: []string{"svc"}, Admin: []string{"boss", "root"}}
	listed := auth.Roles{User: []string{"investor"}}
	for name, tt := range map[string]struct {
		roles  auth.Roles
		claims jwt.MapClaims
		want   auth.Role
	}{
		"every verified caller is a user":   {auth.Roles{}, nil, auth.RoleUser},
		"scope is split at spaces":          {auth.Roles{}, jwt.MapClaims{"scope": "openid  casbroker:service casbroker:admin"}, auth.RoleUser | auth.RoleService | auth.RoleAdmin},
		"array values are not split":        {auth.Roles{}, jwt.MapClaims{"roles": []any{"a", 7, nil, []string{"casbroker:service"}, "casbroker:admin"}}, auth.RoleUser | auth.RoleAdmin},
		"array elements are not split":      {auth.Roles{}, jwt.MapClaims{"roles": []string{"x casbroker:admin"}}, auth.RoleUser},
		"parts of a value count nothing":    {auth.Roles{}, jwt.MapClaims{"scope": "casbroker:administrator xcasbroker:admin"}, auth.RoleUser},
		"other claims count nothing":        {auth.Roles{}, jwt.MapClaims{"groups": "casbroker:admin", "x": map[string]any{"roles": "casbroker:admin"}}, auth.RoleUser},
		"a claim of another type":           {auth.Roles{}, jwt.MapClaims{"roles": map[string]any{"casbroker:admin": true}, "scope": true}, auth.RoleUser},
		"a nested claim":                    {nested, jwt.MapClaims{"realm_access": map[string]any{"x": 1, "roles": []string{"svc", "root"}}}, auth.RoleUser | auth.RoleService | auth.RoleAdmin},
		"nested claim is missing":           {nested, jwt.MapClaims{"realm_access": "boss", "roles": "boss"}, auth.RoleUser},
		"claim named like the path":         {nested, jwt.MapClaims{"realm_access.roles": "boss"}, auth.RoleUser | auth.RoleAdmin},
		"a name that is an address":         {auth.Roles{Claims: []string{"https://x.example/roles"}}, jwt.MapClaims{"https://x.example/roles": []string{"casbroker:admin"}}, auth.RoleUser | auth.RoleAdmin},
		"user role by value, value present": {listed, jwt.MapClaims{"roles": "investor"}, auth.RoleUser},
		"user role by value, value missing": {listed, jwt.MapClaims{"roles": "casbroker:service"}, auth.RoleService},
		"a role switched off":               {auth.Roles{Admin: []string{"nobody"}}, jwt.MapClaims{"roles": "casbroker:admin"}, auth.RoleUser},
		"empty lists mean the defaults": {
			auth.Roles{Claims: []string{}, User: []string{}, Service: []string{}, Admin: []string{}},
			jwt.MapClaims{"roles": "casbroker:admin", "scope": "casbroker:service"}, auth.RoleUser | auth.RoleService | auth.RoleAdmin,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := withSecret()
			v.Roles = tt.roles
			claims := claimsOf("asha")
			for k, value := range tt.claims {
				claims[k] = value
			}
			who, err := newAuth(t, v).Authenticate(t.Context(), signHS(t, claims))
			if err != nil {
				t.Fatal(err)
			}
			if who.Roles != tt.want {
				t.Errorf("got %q, want %q", who.Roles, tt.want)
			}
			if all := who.Scopes == auth.AllScopes; all != who.Has(auth.RoleService) {
				t.Errorf("got the scopes %q with the roles %q", who.Scopes, who.Roles)
			}
		})
	}
}

func TestScopesComeFromTheClaimsOfRoles(t *testing.T) {
	t.Parallel()
	const both = auth.ScopeTokenWrite | auth.ScopeUsersErase
	for name, tt := range map[string]struct {
		roles  auth.Roles
		claims jwt.MapClaims
		want   auth.Scope
		text   string
	}{
		"none":             {auth.Roles{}, jwt.MapClaims{"scope": "openid token:writer"}, 0, ""},
		"a scope claim":    {auth.Roles{}, jwt.MapClaims{"scope": "openid token:write users:erase"}, both, "token:write, users:erase"},
		"an array":         {auth.Roles{Claims: []string{"scp"}}, jwt.MapClaims{"scp": []string{"users:erase", "token:write"}}, both, "token:write, users:erase"},
		"the role service": {auth.Roles{Service: []string{"svc"}}, jwt.MapClaims{"scope": "svc"}, auth.AllScopes, "casbroker:service"},
		"another name":     {auth.Roles{Service: []string{"svc"}}, jwt.MapClaims{"scope": "casbroker:service"}, 0, ""},
		"all one by one": {auth.Roles{}, jwt.MapClaims{
			"scope": "token:write statements:write portfolios:read portfolios:write users:erase events:read",
		}, auth.AllScopes, "casbroker:service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := withSecret()
			v.Roles = tt.roles
			claims := claimsOf("asha")
			for k, value := range tt.claims {
				claims[k] = value
			}
			a, token := newAuth(t, v), signHS(t, claims)
			for range 2 { // from the cache, too
				who, err := a.Authenticate(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				if who.Scopes != tt.want || who.Scopes.String() != tt.text {
					t.Errorf("got %q, want %q", who.Scopes, tt.text)
				}
			}
		})
	}
}
