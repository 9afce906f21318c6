package auth_test

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

func TestNewNamesEveryInvalidSetting(t *testing.T) {
	t.Parallel()
	_, err := auth.New(t.Context(), auth.Options{
		Cookie:         "a b",
		TrustedOrigins: []string{"https://app.example", "app.example/x"},
		CacheSize:      -1,
		Verifiers: []auth.Verifier{
			{Name: "Bad Name", Leeway: time.Hour, MaxLifetime: -1, Refresh: time.Millisecond,
				Roles: auth.Roles{Claims: []string{"sub"}, Admin: []string{""}}},
			withSecret(), withSecret(),
		},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"auth.cookie: ", "auth.trusted_origins[1]: ", "auth.cache_size: ",
		"auth.verifiers[0].name: ", "auth.verifiers[0].issuer: required", "auth.verifiers[0].audience: required",
		"auth.verifiers[0].algorithms: required", "auth.verifiers[0].leeway: ", "auth.verifiers[0].max_lifetime: ",
		"auth.verifiers[0].refresh: ", "auth.verifiers[0].roles.claims: ", "auth.verifiers[0].roles.admin: ",
		"auth.verifiers[0]: want exactly one of secret, secrets, public_key_file, jwks_url and oidc, not 0",
		`auth.verifiers[2].name: "demo" is also the name of auth.verifiers[1]`, "auth.verifiers[2].issuer: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

func TestNewRequiresVerifiers(t *testing.T) {
	t.Parallel()
	if _, err := auth.New(t.Context(), auth.Options{}); err == nil || !strings.Contains(err.Error(), "auth.verifiers: ") {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesWeakAndMismatchedKeys(t *testing.T) {
	t.Parallel()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	public := publicPEM(t, rsaKey().Public())
	inPEM := func(text []byte) func(*auth.Verifier) {
		return func(v *auth.Verifier) { v.Secret, v.PublicKeyPEM, v.Algorithms = "", text, []string{"RS256"} }
	}
	at := func(url string) func(*auth.Verifier) {
		return func(v *auth.Verifier) { v.Secret, v.JWKSURL, v.Algorithms = "", url, []string{"RS256"} }
	}
	for name, tt := range map[string]struct {
		change func(*auth.Verifier)
		want   string
	}{
		"a short secret": {func(v *auth.Verifier) { v.Secret = secret.Text(strings.Repeat("s", 31)) }, ".secret: HS256 needs a secret of 32 bytes"},
		"too short for HS512": {func(v *auth.Verifier) {
			v.Secret, v.Algorithms = secret.Text(strings.Repeat("s", 63)), []string{"HS256", "HS512"}
		}, ".secret: HS512 needs"},
		"a PEM as secret":         {func(v *auth.Verifier) { v.Secret = secret.Text(public) }, ".secret: this is a PEM file"},
		"none":                    {func(v *auth.Verifier) { v.Algorithms = []string{"none"} }, `.algorithms: "none" is not one of`},
		"RS256 with a secret":     {func(v *auth.Verifier) { v.Algorithms = []string{"HS256", "RS256"} }, ".algorithms: RS256 cannot be used with secret"},
		"HS256 with a public key": {func(v *auth.Verifier) { inPEM(public)(v); v.Algorithms = []string{"RS256", "HS256"} }, ".algorithms: HS256 needs secret"},
		"HS256 with a key set":    {func(v *auth.Verifier) { at("https://x.example/k")(v); v.Algorithms = []string{"HS256"} }, ".algorithms: HS256 needs secret"},
		"ES256 with an RSA key":   {func(v *auth.Verifier) { inPEM(public)(v); v.Algorithms = []string{"ES256"} }, ".public_key_file: ES256 cannot be used with an RSA key"},
		"ES384 with P-256":        {func(v *auth.Verifier) { inPEM(publicPEM(t, ecKey().Public()))(v); v.Algorithms = []string{"ES384"} }, ".public_key_file: ES384 cannot be used with an EC key of 256 bits"},
		"EdDSA with P-256":        {func(v *auth.Verifier) { inPEM(publicPEM(t, ecKey().Public()))(v); v.Algorithms = []string{"EdDSA"} }, ".public_key_file: EdDSA cannot be used"},
		"RS256 with Ed25519":      {inPEM(publicPEM(t, edKey().Public())), ".public_key_file: RS256 cannot be used with an Ed25519 key"},
		"RSA of 1024 bits":        {inPEM(publicPEM(t, weakRSA().Public())), ".public_key_file: an RSA key must have 2048"},
		"a private key":           {inPEM(private), ".public_key_file: the file holds a private key"},
		"two public keys":         {inPEM(slices.Concat(public, public)), ".public_key_file: the file holds more than one key"},
		"public, then private":    {inPEM(slices.Concat(public, private)), ".public_key_file: the file holds more than one key"},
		"no PEM":                  {inPEM([]byte("hello")), ".public_key_file: this is not a PEM file"},
		"a broken PEM":            {inPEM(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})), ".public_key_file: the public key in the file cannot be read"},
		"a certificate":           {inPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), ".public_key_file: the file holds a \"CERTIFICATE\""},
		"two sources":             {func(v *auth.Verifier) { v.JWKSURL = "https://x.example/k" }, ": want exactly one of secret"},
		"key set over plain http": {at("http://id.example/k"), ".jwks_url: want https"},
		"key set in a file":       {at("file:///etc/keys"), ".jwks_url: want an absolute URL"},
		"key set with a password": {at("https://a:b@id.example/k"), ".jwks_url: want a URL without user"},
		"discovery over plain http": {func(v *auth.Verifier) {
			v.Issuer, v.Secret, v.OIDC, v.Algorithms = "http://id.example", "", true, []string{"RS256"}
		}, ".issuer: want https"},
		"an empty audience": {func(v *auth.Verifier) { v.Audience = []string{""} }, ".audience: an audience is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := withSecret()
			tt.change(&v)
			_, err := auth.New(t.Context(), auth.Options{Verifiers: []auth.Verifier{v}})
			if err == nil || !strings.Contains(err.Error(), "auth.verifiers[0]"+tt.want) {
				t.Errorf("got %v, want …%s", err, tt.want)
			}
		})
	}
}

func TestPublicKeyIsParsedInBothForms(t *testing.T) {
	t.Parallel()
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)})
	for _, text := range [][]byte{publicPEM(t, rsaKey().Public()), pkcs1, append([]byte("a comment\n"), pkcs1...)} {
		key, err := auth.ParsePublicKey(text)
		if err != nil || !rsaKey().PublicKey.Equal(key) {
			t.Errorf("got %v, %v", key, err)
		}
	}
}
