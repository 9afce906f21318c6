package session_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/admin/session"
	"casbroker/internal/secret"
)

func TestNewKeyContainsItsNameAndIsUnique(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^cbk_ops-2_[A-Za-z0-9_-]{43}$`)
	first, _ := mustKey("ops-2")
	second, k := mustKey("ops-2")
	if !form.MatchString(first.Reveal()) || !form.MatchString(second.Reveal()) || first == second {
		t.Errorf("got keys of %d and %d bytes, want two different keys of the form %s", len(first), len(second), form)
	}
	sum := sha256.Sum256([]byte(second.Reveal()))
	if want := "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:]); k.Hash.Reveal() != want {
		t.Errorf("got the hash %s, want %s", k.Hash.Reveal(), want)
	}
	if err := session.CheckKeys([]session.Key{asha, rohan, k}); err != nil {
		t.Error(err)
	}
}

func TestNewKeyRefusesInvalidName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Asha", "asha_2", "asha rao", "आशा", "a\n", strings.Repeat("a", 33)} {
		if key, hash, err := session.NewKey(name); err == nil || key != "" || hash != "" {
			t.Errorf("%q: got a key, want an error", name)
		}
	}
	if _, _, err := session.NewKey(strings.Repeat("a", 32)); err != nil {
		t.Error(err)
	}
}

func TestCheckKeysNamesTheSettingOfEachError(t *testing.T) {
	t.Parallel()
	const salt, tag = "c2FsdHNhbHRzYWx0c2FsdA", "dGFndGFndGFndGFndGFndGFndGFndGFndGFndGFndGE"
	const malformed = "want the hash that broker admin-key prints (sha256: and 43 characters)"
	good, old := secret.Text("sha256:"+tag), secret.Text("$argon2id$v=19$m=19456,t=2,p=1$"+salt+"$"+tag)
	for name, c := range map[string]struct {
		keys []session.Key
		want string
	}{
		"no keys":                     {nil, ""},
		"valid":                       {[]session.Key{{"asha", good}}, ""},
		"old hash":                    {[]session.Key{{"asha", old}}, ""},
		"old hash at the lower limit": {[]session.Key{{"a", "$argon2id$v=19$m=8192,t=1,p=1$" + salt + "$" + tag}}, ""},
		"old hash at the upper limit": {[]session.Key{{"a", "$argon2id$v=19$m=262144,t=10,p=8$" + salt + "$" + tag}}, ""},
		"invalid name":                {[]session.Key{{"asha", good}, {"As_ha", good}}, "admin.keys[1].name: want 1 to 32"},
		"no name":                     {[]session.Key{{"", good}}, "admin.keys[0].name: want 1 to 32"},
		"duplicate name":              {[]session.Key{{"asha", good}, {"rohan", good}, {"asha", good}}, `admin.keys[2].name: "asha" is also the name of admin.keys[0]`},
		"no hash":                     {[]session.Key{{"asha", ""}}, "admin.keys[0].hash: " + malformed},
		"key instead of its hash":     {[]session.Key{{"asha", ashasKey}}, "admin.keys[0].hash: this is the key itself"},
		"unknown kind of hash":        {[]session.Key{{"asha", "sha512:" + good[len("sha256:"):]}}, malformed},
		"hash without its kind":       {[]session.Key{{"asha", good[len("sha256:"):]}}, malformed},
		"short hash":                  {[]session.Key{{"asha", good[:len(good)-1]}}, malformed},
		"long hash":                   {[]session.Key{{"asha", good + "A"}}, malformed},
		"padded hash":                 {[]session.Key{{"asha", good + "="}}, malformed},
		"hash with stray last bits":   {[]session.Key{{"asha", good[:len(good)-1] + "F"}}, malformed},
		"hash in plain base64":        {[]session.Key{{"asha", good[:len(good)-2] + "+E"}}, malformed},
		"argon2i hash":                {[]session.Key{{"asha", "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + tag}}, malformed},
		"other version of argon2id":   {[]session.Key{{"asha", "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + tag}}, "this argon2id hash cannot be read; " + malformed},
		"too little memory":           {[]session.Key{{"asha", "$argon2id$v=19$m=8191,t=2,p=1$" + salt + "$" + tag}}, "hash: want m from 8192 to 262144 KiB, not 8191"},
		"too much memory":             {[]session.Key{{"asha", "$argon2id$v=19$m=262145,t=2,p=1$" + salt + "$" + tag}}, "hash: want m from"},
		"no iteration":                {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + tag}}, "hash: want t from 1 to 10, not 0"},
		"too many iterations":         {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=11,p=1$" + salt + "$" + tag}}, "hash: want t from"},
		"no thread":                   {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + tag}}, "hash: want p from 1 to 8, not 0"},
		"too many threads":            {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=9$" + salt + "$" + tag}}, "hash: want p from"},
		"more threads than a byte":    {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=257$" + salt + "$" + tag}}, "this argon2id hash cannot be read"},
		"no salt":                     {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=1$$" + tag}}, "hash: want a salt of"},
		"no tag, which any key fits":  {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$"}}, "hash: want a tag of 16 to 64 bytes, not 0"},
		"tag that many keys fit": {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$dGE"}},
			"hash: want a tag of 16 to 64 bytes, not 2"},
		"several errors": {[]session.Key{{"A", "x"}, {"B", good}}, "admin.keys[0].hash: " + malformed + "\nadmin.keys[1].name"},
	} {
		err := session.CheckKeys(c.keys)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), salt) || strings.Contains(err.Error(), tag[:42]) || strings.Contains(err.Error(), ashasKey.Reveal())) {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
	if err := session.CheckKeys([]session.Key{{"A", "x"}}); len(err.(interface{ Unwrap() []error }).Unwrap()) != 2 || errors.Unwrap(err) != nil {
		t.Errorf("got %v, want two joined errors", err)
	}
}

func TestOutdatedListsKeysWithAnOldHash(t *testing.T) {
	t.Parallel()
	old := withOldHash(t, "rohan", rohansKey)
	if got := session.Outdated([]session.Key{asha, old}); !slices.Equal(got, []string{"rohan"}) {
		t.Errorf("got %q, want rohan", got)
	}
	if got := session.Outdated([]session.Key{asha, rohan}); len(got) != 0 {
		t.Errorf("got %q, want none", got)
	}
}
