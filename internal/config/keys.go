package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"casbroker/internal/check"
)

// keyName is the form of names of API keys, which are in metrics.
var keyName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

func (u Upstream) validateKeys(wrong *check.Errors, verifiers []Verifier) {
	const single = "upstream.api_key"
	if len(u.Keys) == 0 {
		wrong.Require(u.APIKey != "" || u.APIKeyFile != "", single, "required: the vendor's API key, or the file that holds it in upstream.api_key_file")
		validateKey(wrong, "upstream", u.AllKeys()[0])
		return
	}
	names := make([]string, len(u.Keys))
	for i, k := range u.Keys {
		names[i] = k.Name
	}
	wrong.Require(u.APIKey == "" && u.APIKeyFile == "", single,
		"set this or upstream.keys (%s), not both", strings.Join(names, ", "))
	served := map[string]bool{}
	for i, k := range u.Keys {
		key := fmt.Sprintf("upstream.keys[%d]", i)
		wrong.Require(keyName.MatchString(k.Name), key+".name", "want 1 to 32 of a-z, 0-9 and -, not %q", k.Name)
		wrong.Require(!slices.Contains(names[:i], k.Name), key+".name", "%q is used twice", k.Name)
		wrong.Require(k.APIKey != "" || k.APIKeyFile != "", key+".api_key", "required: the API key, or the file that holds it in api_key_file")
		validateKey(wrong, key, k)
		wrong.Require(k.Weight >= 1 && k.Weight <= 1000, key+".weight", "want 1 to 1000, not %d", k.Weight)
		wrong.Require(k.Rate >= 0 && k.Rate <= 100_000, key+".rate", "want 0 (no limit) to 100000 requests per minute, not %d", k.Rate)
		twice := slices.ContainsFunc(u.Keys[:i], func(other UpstreamKey) bool { return k.APIKey != "" && other.APIKey == k.APIKey })
		wrong.Require(!twice, key+".api_key", "this key is in the list already")
		for j, name := range k.Verifiers {
			known := slices.ContainsFunc(verifiers, func(v Verifier) bool { return v.Name == name })
			wrong.Require(known, fmt.Sprintf("%s.verifiers[%d]", key, j), "there is no %q in auth.verifiers", name)
			served[name] = true
		}
	}
	if u.hasShared() {
		return
	}
	for _, v := range verifiers {
		wrong.Require(served[v.Name], "upstream.keys", "no key is for the verifier %q; add it to the verifiers of a key, or a key without verifiers", v.Name)
	}
}

// hasShared reports whether there is a key for the users of all verifiers.
func (u Upstream) hasShared() bool {
	return slices.ContainsFunc(u.AllKeys(), func(k UpstreamKey) bool { return len(k.Verifiers) == 0 })
}

// validateKey checks the key itself, whose settings are at key.
func validateKey(wrong *check.Errors, key string, k UpstreamKey) {
	wrong.Require(!strings.HasPrefix(k.APIKey.Reveal(), "at_"), key+".api_key", "this is an access token; want the API key")
	wrong.Require(k.APIKey == "" || k.APIKeyFile == "", key+".api_key_file", "set this or api_key, not both")
}

// ParsePercent returns the share that a text such as "90%" says, from 0 to 1; 0 for "".
func ParsePercent(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	digits, ok := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > 99 {
		return 0, errors.New(`want 1% to 99%, such as "90%", or "" for never`)
	}
	return float64(n) / 100, nil
}
