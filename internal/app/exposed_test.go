package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/testkit/logtest"
)

// file writes a file with this mode, whatever the umask, and returns its path.
func file(t *testing.T, folder, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesThatOthersCanReadAreReported(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	database := file(t, folder, "broker.db", "", 0o644)
	wal := file(t, folder, "broker.db-wal", "", 0o640)
	file(t, folder, "broker.db-shm", "", 0o600)
	key := file(t, folder, "casparser.key", apiKey, 0o604)
	sealed := file(t, folder, "seal one.key", sealKey, 0o660)
	hash := file(t, folder, "hash.key", hashKey, 0o444)
	jwt := file(t, folder, "jwt.secret", jwtSecret, 0o600)
	pem := file(t, folder, "public.pem", "", 0o644)
	second := file(t, folder, "second.secret", "", 0o640)
	endpoint := file(t, folder, "whsec", "", 0o602)
	mounted := file(t, folder, "mounted", "", 0o440)
	wide := file(t, folder, "wide", "", 0o444)
	asRoot := os.Geteuid() == 0
	if asRoot {
		for _, path := range []string{mounted, wide} {
			if err := os.Chown(path, 12345, 12345); err != nil {
				t.Fatal(err)
			}
		}
	} else if os.Getenv("CI") == "true" {
		t.Fatal("only root can test files of other users")
	}
	environ := []string{"CASBROKER_SEAL_HASH_KEY_FILE=" + hash, "CASBROKER_AUTH_VERIFIERS_0_SECRET_FILE=" + jwt, "CASBROKER_STORE_URL_FILE=" + mounted, "CASBROKER_CACHE_URL_FILE=" + wide, "CASBROKER_ADMIN_KEYS_0_HASH_FILE=" + pem}
	settings := file(t, folder, "broker.yaml", `
store: {url: "sqlite:`+database+`"}
upstream: {api_key_file: "`+key+`"}
seal: {keys: [{id: k1, file: "`+sealed+`"}, {id: k0, key: inline}]}
auth: {verifiers: [{public_key_file: "`+pem+`", secrets: [{secret_file: "`+second+`"}]}], service_keys: [{hash: "sha256:x"}]}
webhooks: {endpoints: [{secrets: [{secret_file: "`+endpoint+`"}]}]}
admin: {keys: [{name: asha, hash_file: "`+pem+`"}]}
`, 0o644)
	c, err := config.Load(config.Default(), settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range app.ExposedFiles(c, settings, environ) {
		got = append(got, f.String())
	}
	const all, group = " is open to every user of this machine (mode ", " is open to its group (mode "
	want := []string{
		settings + " (settings with secrets: seal.keys[1].key)" + all + "0644); run: chmod 600 " + settings,
		key + " (upstream.api_key_file)" + all + "0604); run: chmod 600 " + key,
		second + " (auth.verifiers[0].secrets[0].secret_file)" + group + "0640); run: chmod 600 " + second,
		endpoint + " (webhooks.endpoints[0].secrets[0].secret_file)" + all + "0602); run: chmod 600 " + endpoint,
		hash + " (CASBROKER_SEAL_HASH_KEY_FILE)" + all + "0444); run: chmod 600 " + hash,
		sealed + " (seal.keys[0].file)" + group + "0660); run: chmod 600 '" + sealed + "'",
		database + " (the database of store.url)" + all + "0644); run: chmod 600 " + database,
		wal + " (the database of store.url)" + group + "0640); run: chmod 600 " + wal,
	}
	if asRoot {
		want = append(want, wide+" (CASBROKER_CACHE_URL_FILE)"+all+"0444); run: chmod o= "+wide+" (in a Kubernetes volume: defaultMode: 0440)")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSettingsWithoutSecretsMayBeReadByAll(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"store: {url: 'postgres://db/x'}\nadmin: {keys: [{hash: 'sha256:x'}]}\nupstream: {api_key_file: /run/secrets/key}\n": 0,
		"store: {url: 'postgres://bob:hush@db/x'}\n": 1,
		"upstream:\n  api_key: 0123\n  wrong: 1\n":   1,
		"seal: [": 0,
	} {
		path := file(t, t.TempDir(), "broker.yaml", text, 0o644)
		c := config.Default()
		c.Store.URL = "postgres://db/x"
		if got := app.ExposedFiles(c, path, nil); len(got) != want {
			t.Errorf("%q: got %v, want %d", text, got, want)
		}
	}
}

func TestStartWarnsOfFilesThatOthersCanRead(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	key := file(t, t.TempDir(), "seal.key", sealKey, 0o644)
	settings.Seal.Keys = []config.SealKey{{ID: "k1", File: key}}
	log := &logtest.Log{}
	a, err := app.New(t.Context(), settings, app.Options{LogTo: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Count(text, "open to others") != 1 || !strings.Contains(text, `"has":"seal.keys[0].file","mode":"0644","who":"every user of this machine","remedy":"chmod 600 `+key+`"`) {
		t.Errorf("got %s", text)
	}
}
