package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"casbroker/internal/admin/session"
	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/secret"
)

// mount is a directory of secrets as Kubernetes mounts it: each file is a symbolic link into
// a directory that another link names, which is replaced at once.
type mount struct {
	dir   string
	files map[string]string
	n     int
}

func newMount(t *testing.T, files map[string]string) *mount {
	t.Helper()
	m := &mount{dir: t.TempDir(), files: files}
	m.write(t)
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), m.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *mount) path(name string) string { return filepath.Join(m.dir, name) }

// write puts a new directory with the files in place.
func (m *mount) write(t *testing.T) {
	t.Helper()
	m.n++
	version := "..v" + strings.Repeat("i", m.n)
	if err := os.Mkdir(m.path(version), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range m.files {
		if err := os.WriteFile(m.path(filepath.Join(version, name)), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(version, m.path("..next")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(m.path("..next"), m.path("..data")); err != nil {
		t.Fatal(err)
	}
}

// set changes a file.
func (m *mount) set(t *testing.T, name, text string) {
	t.Helper()
	m.files[name] = text
	m.write(t)
}

// Secrets of the app's JWTs that take turns.
const (
	secretOne   = "q7Zp0v1Tb4Xk9Rm2Ws6Yd8Ue3Ig5Oh1A"
	secretTwo   = "Lf2Nc7Vb9Mx4Qa1Ws5Ed8Rf0Tg6Yh3Uj"
	secretThree = "Pz8Kx1Jc4Hv7Gb2Fn9Dm5Sa0Qw6Er3Ty"
)

// jwtWith returns a JWT of asha.
func jwtWith(t *testing.T, method jwt.SigningMethod, issuer string, key any) string {
	t.Helper()
	now := time.Now()
	token, err := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": issuer, "aud": "casbroker", "sub": "asha", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// accepts reports whether the broker accepts a bearer token.
func (b *broker) accepts(t *testing.T, token string) bool {
	t.Helper()
	return b.as(t, token, http.MethodGet, "/v1/portfolios", "").status == 200
}

func TestSecretsOfCallersAreReplacedWithoutARestart(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.RateLimit.Failures = ""
	m := newMount(t, map[string]string{"new": secretOne, "old": secretTwo})
	settings.Auth.Verifiers[0].Secret = ""
	settings.Auth.Verifiers[0].Secrets = []config.Secret{{SecretFile: m.path("new")}, {SecretFile: m.path("old")}}
	b := start(t, settings)
	sign := func(key string) string { return jwtWith(t, jwt.SigningMethodHS256, "https://app.example", []byte(key)) }
	one, two, three := sign(secretOne), sign(secretTwo), sign(secretThree)
	if !b.accepts(t, one) || !b.accepts(t, two) || b.accepts(t, three) {
		t.Fatal("not just the two secrets are accepted")
	}
	m.files["old"] = secretOne // both change at the same time
	m.set(t, "new", secretThree)
	within(t, 5*time.Second, "the third secret", func() bool { return b.accepts(t, three) })
	if !b.accepts(t, one) {
		t.Error("the secret that was new, and is old now, is not accepted")
	}
	if b.accepts(t, two) {
		t.Error("a token is accepted whose secret was replaced: the cache has it still")
	}
	for _, key := range []string{secretOne, secretTwo, secretThree} {
		if strings.Contains(b.log.String(), key) {
			t.Error("the log has a secret")
		}
	}
}

func TestFileThatCannotBeUsedKeepsTheSecretBefore(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.Server.MetricsAddress = address
	settings.RateLimit = config.RateLimit{}
	m := newMount(t, map[string]string{"jwt": secretOne, "key": apiKey})
	v := &settings.Auth.Verifiers[0]
	v.Secret, v.SecretFile = "", m.path("jwt")
	settings.Upstream.Keys = []config.UpstreamKey{{Name: "main", APIKeyFile: m.path("key"), Weight: 1}}
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	as := b.signIn(t, key)
	state := func() string {
		var overview struct {
			Health []struct{ Name, State, Note string }
		}
		b.call(t, "", http.MethodGet, "/admin/v1/overview", "", as...).must(t, 200).decode(t, &overview)
		for _, c := range overview.Health {
			if c.Name == "secret_files" {
				return c.State + " " + c.Note
			}
		}
		return ""
	}
	if got := state(); got != "ok " {
		t.Errorf("got %s, want ok", got)
	}
	one := jwtWith(t, jwt.SigningMethodHS256, v.Issuer, []byte(secretOne))
	const weak = "your-256-bit-secret-your-256-bit-secret"
	setting := "auth.verifiers[0].secret_file: "
	m.set(t, "jwt", weak)
	within(t, 5*time.Second, "a weak secret is reported", func() bool { return strings.Contains(state(), setting+"it is easy to guess") })
	if !b.accepts(t, one) || b.accepts(t, jwtWith(t, jwt.SigningMethodHS256, v.Issuer, []byte(weak))) {
		t.Error("a weak secret was put into use")
	}
	m.set(t, "jwt", "")
	within(t, 5*time.Second, "an empty file is reported", func() bool { return strings.Contains(state(), setting+"the file is empty") })
	m.set(t, "key", "at_0123456789")
	within(t, 5*time.Second, "the file of the API key is reported", func() bool {
		return strings.HasPrefix(state(), "degraded ") && strings.Contains(state(), "the file of the API key main: the file has an access token")
	})
	if err := os.Remove(m.path("jwt")); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "a missing file is reported", func() bool { return strings.Contains(state(), "no such file") })
	if !strings.Contains(scrape(t, address), "casbroker_secret_files_unusable 2") {
		t.Error("the metric does not count two files")
	}
	if !b.accepts(t, one) {
		t.Error("the secret before is not used any more")
	}
	if err := os.WriteFile(m.path("jwt"), []byte(secretTwo), 0o600); err != nil {
		t.Fatal(err)
	}
	m.set(t, "key", apiKey)
	within(t, 5*time.Second, "the files are used again", func() bool { return state() == "ok " })
	if !b.accepts(t, jwtWith(t, jwt.SigningMethodHS256, v.Issuer, []byte(secretTwo))) || b.accepts(t, one) {
		t.Error("the secret in the file is not used")
	}
	log := b.log.String()
	if strings.Count(log, "the file of a secret cannot be used") != 3 || strings.Contains(log, weak) || strings.Contains(log, secretTwo) {
		t.Error("the log does not say each problem once, or has a secret")
	}
}

func TestKeysInFilesAreReplacedWithoutARestart(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.RateLimit = config.RateLimit{}
	newHash := func(key secret.Text, hash string, err error) (string, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return key.Reveal(), hash
	}
	scopes := []string{"casbroker:service"}
	firstService, firstServiceHash := newHash(app.NewServiceKey("payroll", scopes))
	nextService, nextServiceHash := newHash(app.NewServiceKey("payroll", scopes))
	firstAdmin, firstAdminHash := newHash(session.NewKey("meera"))
	nextAdmin, nextAdminHash := newHash(session.NewKey("meera"))
	const nextSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	firstRSA, nextRSA := newPublicKey(t), newPublicKey(t)
	m := newMount(t, map[string]string{
		"service": firstServiceHash, "previous": "", "admin": firstAdminHash, "webhook": webhookSecret, "public": firstRSA.pem,
	})
	settings.Auth.ServiceKeys = []config.ServiceKey{{
		Name: "payroll", HashFile: m.path("service"), PreviousFile: m.path("previous"), Scopes: scopes, ActsFor: []string{"app"},
	}}
	settings.Admin.Keys = []config.AdminKey{{Name: "meera", HashFile: m.path("admin")}}
	settings.Auth.Verifiers = append(settings.Auth.Verifiers, config.Verifier{
		Name: "corp", Issuer: "https://corp.example", Audience: []string{"casbroker"}, Algorithms: []string{"RS256"}, PublicKeyFile: m.path("public"),
	})
	events := receiveWebhooks(t, &settings)
	settings.Webhooks.Endpoints[0].Secrets = []config.Secret{{SecretFile: m.path("webhook")}}
	b := start(t, settings)
	service := func(key string) bool {
		return b.as(t, key, http.MethodGet, "/v1/users/app:asha/portfolios", "").status == 200
	}
	operator := func(key string) bool {
		return b.call(t, "", http.MethodPost, "/admin/v1/session", `{"key":"`+key+`"}`).status == 201
	}
	corp := func(k keyPair) bool {
		return b.accepts(t, jwtWith(t, jwt.SigningMethodRS256, "https://corp.example", k.key))
	}
	as := b.signIn(t, firstAdmin)
	if !service(firstService) || service(nextService) || operator(nextAdmin) || !corp(firstRSA) || corp(nextRSA) {
		t.Fatal("the keys of the start are not those in the files")
	}
	m.files["previous"], m.files["admin"], m.files["webhook"], m.files["public"] = firstServiceHash, nextAdminHash, nextSecret, nextRSA.pem
	m.set(t, "service", nextServiceHash)
	within(t, 5*time.Second, "the new keys", func() bool {
		return service(nextService) && operator(nextAdmin) && corp(nextRSA)
	})
	if !service(firstService) || operator(firstAdmin) || corp(firstRSA) {
		t.Error("just the previous service key is to be accepted still")
	}
	b.call(t, "", http.MethodGet, "/admin/v1/overview", "", as...).mustRefuse(t, 401, "session_ended") // it ends with its key
	m.set(t, "previous", "")
	within(t, 5*time.Second, "the end of the previous key", func() bool { return !service(firstService) })

	w, err := standardwebhooks.NewWebhook(nextSecret)
	if err != nil {
		t.Fatal(err)
	}
	b.token(t, "asha")
	b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
	if d := next(t, events); w.Verify([]byte(d.body), d.header) != nil {
		t.Error("the event is not signed with the secret in the file")
	}
	for _, hidden := range []string{nextSecret, nextAdminHash, nextServiceHash, firstService} {
		if strings.Contains(b.log.String(), hidden) {
			t.Error("the log has a secret")
		}
	}
}

// keyPair is an RSA key and the PEM of its public part.
type keyPair struct {
	key *rsa.PrivateKey
	pem string
}

func newPublicKey(t *testing.T) keyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

func TestUnreadableFilesOfSecretsAreReportedOnce(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	v := &settings.Auth.Verifiers[0]
	v.Secret, v.SecretFile = "", "/none/jwt"
	second := *v
	second.Name, second.Issuer, second.SecretFile, second.Secrets = "b", "https://b.example", "", []config.Secret{{SecretFile: empty}, {Secret: jwtSecret, SecretFile: empty}}
	settings.Auth.Verifiers = append(settings.Auth.Verifiers, second)
	settings.Auth.ServiceKeys = []config.ServiceKey{{Name: "x", HashFile: "/none/hash", PreviousFile: "/none/previous", Scopes: []string{"casbroker:service"}, ActsFor: []string{"app"}}}
	settings.Admin.Keys = []config.AdminKey{{Name: "meera", Hash: "x", HashFile: empty}}
	err := app.Check(settings)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		"auth.verifiers[0].secret_file: open /none/jwt", "auth.verifiers[1].secrets[0].secret_file: the file is empty",
		"auth.verifiers[1].secrets[1].secret_file: set this or secret, not both", "auth.verifiers[1].secrets[1].secret_file: the file is empty",
		"auth.service_keys[0].hash_file: open", "auth.service_keys[0].previous_hash_file: open",
		"admin.keys[0].hash_file: set this or hash, not both", "admin.keys[0].hash_file: the file is empty",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 8 {
		t.Errorf("got %d errors, want 8 and none that follow from them:\n%v", n, err)
	}
}
