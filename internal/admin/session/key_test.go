package session_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"casbroker/internal/admin/session"
	"casbroker/internal/secret"
)

func TestANewKeyBearsItsNameAndIsNeverTheSame(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^cbk_ops-2_[A-Za-z0-9_-]{43}$`)
	first, _ := mustKey("ops-2")
	second, k := mustKey("ops-2")
	if !form.MatchString(first.Reveal()) || !form.MatchString(second.Reveal()) || first == second {
		t.Errorf("%d and %d bytes", len(first), len(second))
	}
	if !strings.HasPrefix(k.Hash.Reveal(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got the hash %s", k.Hash.Reveal())
	}
	if err := session.CheckKeys([]session.Key{asha, rohan, k}); err != nil {
		t.Error(err)
	}
}

func TestAKeyNeedsANameThatCanStandInIt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Asha", "asha_2", "asha rao", "आशा", "a\n", strings.Repeat("a", 33)} {
		if key, hash, err := session.NewKey(name); err == nil || key != "" || hash != "" {
			t.Errorf("%q was taken", name)
		}
	}
	if _, _, err := session.NewKey(strings.Repeat("a", 32)); err != nil {
		t.Error(err)
	}
}

func TestKeysOfTheSettingsAreFoundWantingByTheirPlace(t *testing.T) {
	t.Parallel()
	const salt, tag = "c2FsdHNhbHRzYWx0c2FsdA", "dGFndGFndGFndGFndGFndGFndGFndGFndGFndGFndGE"
	good := secret.Text("$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + tag)
	for name, c := range map[string]struct {
		keys []session.Key
		want string
	}{
		"none":                    {nil, ""},
		"a good one":              {[]session.Key{{"asha", good}}, ""},
		"the cheapest":            {[]session.Key{{"a", "$argon2id$v=19$m=8192,t=1,p=1$" + salt + "$" + tag}}, ""},
		"the dearest":             {[]session.Key{{"a", "$argon2id$v=19$m=262144,t=10,p=8$" + salt + "$" + tag}}, ""},
		"a name that cannot be":   {[]session.Key{{"asha", good}, {"As_ha", good}}, "admin.keys[1].name: want 1 to 32"},
		"no name":                 {[]session.Key{{"", good}}, "admin.keys[0].name: want 1 to 32"},
		"the same name again":     {[]session.Key{{"asha", good}, {"rohan", good}, {"asha", good}}, `admin.keys[2].name: "asha" is also the name of admin.keys[0]`},
		"no hash":                 {[]session.Key{{"asha", ""}}, "admin.keys[0].hash: want an argon2id hash"},
		"the key for the hash":    {[]session.Key{{"asha", ashasKey}}, "admin.keys[0].hash: this is the key itself"},
		"another kind of hash":    {[]session.Key{{"asha", "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + tag}}, "want an argon2id hash"},
		"another version":         {[]session.Key{{"asha", "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + tag}}, "want an argon2id hash"},
		"too little memory":       {[]session.Key{{"asha", "$argon2id$v=19$m=8191,t=2,p=1$" + salt + "$" + tag}}, "hash: want m from 8192 to 262144 KiB, not 8191"},
		"too much memory":         {[]session.Key{{"asha", "$argon2id$v=19$m=262145,t=2,p=1$" + salt + "$" + tag}}, "hash: want m from"},
		"no pass":                 {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + tag}}, "hash: want t from 1 to 10, not 0"},
		"too many passes":         {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=11,p=1$" + salt + "$" + tag}}, "hash: want t from"},
		"no lane":                 {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + tag}}, "hash: want p from 1 to 8, not 0"},
		"too many lanes":          {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=9$" + salt + "$" + tag}}, "hash: want p from"},
		"more lanes than a byte":  {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=257$" + salt + "$" + tag}}, "want an argon2id hash"},
		"no salt":                 {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=1$$" + tag}}, "hash: want a salt of"},
		"no tag, so any key fits": {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$"}}, "hash: want a tag of 16 to 64 bytes, not 0"},
		"a tag that many keys fit": {[]session.Key{{"asha", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$dGE"}},
			"hash: want a tag of 16 to 64 bytes, not 2"},
		"several at once": {[]session.Key{{"A", "x"}, {"B", good}}, "admin.keys[0].hash: want an argon2id hash such as broker admin-key prints ($argon2id$v=19$m=…)\nadmin.keys[1].name"},
	} {
		err := session.CheckKeys(c.keys)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), salt) || strings.Contains(err.Error(), ashasKey.Reveal())) {
			t.Errorf("%s: the error shows it: %v", name, err)
		}
	}
	if err := session.CheckKeys([]session.Key{{"A", "x"}}); len(err.(interface{ Unwrap() []error }).Unwrap()) != 2 || errors.Unwrap(err) != nil {
		t.Errorf("the faults are not joined: %v", err)
	}
}
