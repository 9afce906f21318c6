package auth_test

import (
	"strings"
	"testing"

	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

// newServiceKey returns a new key and its hash.
func newServiceKey(t *testing.T, name string) (key string, hash secret.Text) {
	t.Helper()
	made, text, err := auth.NewServiceKey(name, auth.ScopeNames())
	if err != nil {
		t.Fatal(err)
	}
	return made.Reveal(), secret.Text(text)
}

func TestServiceKeyAuthenticatesAsABearerTokenOnly(t *testing.T) {
	t.Parallel()
	key, hash := newServiceKey(t, "payroll")
	other, _ := newServiceKey(t, "payroll")
	a := newAuthWith(t, auth.Options{
		Verifiers: []auth.Verifier{withSecret()}, Cookie: "session",
		ServiceKeys: []auth.ServiceKey{{Name: "payroll", Hash: hash, Scopes: []string{"token:write"}, ActsFor: []string{"demo"}}},
	})
	if got := askWith(t, a, key); got.body != "key:payroll" {
		t.Errorf("got %+v", got)
	}
	for _, wrong := range []string{other, "cbs_", "cbs_payroll_", key + "=", strings.Repeat(key, 4)} {
		got := askWith(t, a, wrong)
		if got.code != "invalid_service_key" || strings.Contains(got.body, wrong) {
			t.Errorf("%.20s: got %+v", wrong, got)
		}
	}
	if _, err := a.Authenticate(t.Context(), key); err == nil {
		t.Error("a service key was accepted as a JWT, as in a cookie")
	}
}

func TestServiceKeysWithInvalidSettingsAreRefusedByKey(t *testing.T) {
	t.Parallel()
	key, hash := newServiceKey(t, "payroll")
	named := withSecret()
	named.Name, named.ActsFor = "key", []string{"demo"}
	_, err := auth.New(t.Context(), auth.Options{Verifiers: []auth.Verifier{named}, ServiceKeys: []auth.ServiceKey{
		{Name: "a_b", Hash: secret.Text(key), PreviousHash: "sha256:x"},
		{Name: "x", Hash: hash, PreviousHash: hash, Scopes: []string{"token:write", "token:read"}, ActsFor: []string{"key", "app"}},
		{Name: "x", Scopes: []string{""}, ActsFor: []string{"key"}},
	}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"auth.verifiers[0].acts_for[0]: ", "auth.verifiers[0].name: ",
		"auth.service_keys[0].name: ", "auth.service_keys[0].hash: this is the key itself", "auth.service_keys[0].previous_hash: want the hash",
		"auth.service_keys[0].scopes: ", "auth.service_keys[0].acts_for: required",
		"auth.service_keys[1].previous_hash: want another", "auth.service_keys[1].scopes: ", `auth.service_keys[1].acts_for[1]: there is no "app"`,
		"auth.service_keys[2].name: ", "auth.service_keys[2].hash: ", "auth.service_keys[2].scopes: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), key) || strings.Contains(err.Error(), hash.Reveal()) {
		t.Error("the error has a key or its hash")
	}
}

func TestVerifierMayBeCalledKeyWithoutServiceKeys(t *testing.T) {
	t.Parallel()
	v := withSecret()
	v.Name, v.ActsFor = "key", []string{"key"}
	a := newAuth(t, v)
	claims := claimsOf("svc")
	claims["scope"] = "casbroker:service"
	who, err := a.Authenticate(t.Context(), signHS(t, claims))
	if err != nil {
		t.Fatal(err)
	}
	if got := a.ActsFor(*who); len(got) != 1 || got[0] != "key" {
		t.Errorf("got %q, want its services to act for key", got)
	}
}
