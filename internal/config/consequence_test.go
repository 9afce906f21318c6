package config_test

import (
	"errors"
	"testing"

	"casbroker/internal/config"
)

func TestErrorsThatFollowFromOthersAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		environ    []string
		checked    []string // whose first word is the key
		kept       []int
	}{
		{"a group that is not one", "seal: {keys: x}", nil, []string{"seal.keys: a", "seal.keys[0].id: b", "seal.hash_key: c", "sealed: d"}, []int{2, 3}},
		{"a variable that cannot be read", "", []string{"CASBROKER_UPSTREAM_ATTEMPTS=many"}, []string{"upstream.attempts: a", "upstream.timeout: b"}, []int{1}},
		{"a mistyped key", "upstream: {api_kee: x, attempts: 50}", nil, []string{"upstream.api_key: a", "auth.verifiers: b", "upstream.attempts: c"}, []int{2}},
		{"a mistyped variable", "", []string{"CASBROKER_SEAL_KEY_0_ID=k1", "CASBROKER_UPSTREAM_ATTEMPTS=50"}, []string{"seal.keys: a", "upstream.attempts: b"}, []int{1}},
		{"nothing wrong", "", nil, []string{"seal.keys: a", "upstream.api_key: b"}, []int{0, 1}},
	} {
		settings, loaded := config.Load(config.Default(), write(t, c.file), c.environ)
		var checked []error
		want := loaded
		for _, text := range c.checked {
			checked = append(checked, errors.New(text))
		}
		for _, i := range c.kept {
			want = errors.Join(want, checked[i])
		}
		got := settings.Causes(loaded, errors.Join(checked[0], errors.Join(checked[1:]...)))
		if got.Error() != want.Error() {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
	}
	if err := new(config.Config).Causes(nil, nil); err != nil {
		t.Errorf("got %v", err)
	}
}
