package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"casbroker/internal/check"
	"casbroker/internal/netaddr"
)

// The choices of upstream.kind.
const (
	KindCloud     = "cloud"      // the vendor's API
	KindOnPremise = "on_premise" // the vendor's parser, run by the operator: no API keys, tokens or credits
)

// OnPremise reports whether the upstream is a parser that the operator runs.
func (u Upstream) OnPremise() bool { return u.Kind == KindOnPremise }

// validateOnPremise checks the address of a parser on premises, and that no API key is set,
// which nothing would use.
func (u Upstream) validateOnPremise(wrong *check.Errors) {
	parsed, err := url.Parse(u.URL)
	switch {
	case u.URL == Default().Upstream.URL:
		wrong.Add("upstream.url", "required with upstream.kind on_premise: the address of your parser, such as http://parser:8000")
	case err == nil && parsed.Scheme == "http" && !netaddr.IsPublic(parsed.Hostname()):
		parsed.Scheme = "https" // plain http is allowed within a private network
		wrong.URL("upstream.url", parsed.String())
	case err == nil && parsed.Scheme == "http" && parsed.Host != "":
		wrong.Add("upstream.url", "want https; http is allowed for a host in a private network, such as http://parser:8000")
	default:
		wrong.URL("upstream.url", u.URL)
	}
	const none = "want none with upstream.kind on_premise: the parser takes no API key"
	wrong.Require(u.AllowHTTP == "", "upstream.allow_http", "leave it out with upstream.kind on_premise: http is allowed to each host of a private network")
	wrong.Require(u.APIKey == "", "upstream.api_key", none)
	wrong.Require(u.APIKeyFile == "", "upstream.api_key_file", none)
	wrong.Require(len(u.Keys) == 0, "upstream.keys", none)
	wrong.Require(u.SwitchAt == "", "upstream.switch_at", "want none with upstream.kind on_premise, which has no credits")
}

// validateOffers checks that nothing is set that a parser on premises does not have.
func (c *Config) validateOffers(wrong *check.Errors) {
	if !c.Upstream.OnPremise() {
		wrong.Require(c.Token.Pool == 0 || c.Upstream.hasShared(), "token.pool", "needs a key in upstream.keys without verifiers")
		return
	}
	wrong.Require(c.Token.Mode == ModeDirect, "token.mode", "leave it out with upstream.kind on_premise, which has no access tokens")
	wrong.Require(c.Token.Pool == 0, "token.pool", "want 0 with upstream.kind on_premise, which has no access tokens")
	wrong.Require(len(c.Budgets) == 0, "budgets", "want none with upstream.kind on_premise, whose calls cost no credits; ratelimit.upload bounds uploads")
	if other := slices.DeleteFunc(slices.Clone(c.Gateway.Features), func(f string) bool { return f == FeatureParse }); len(other) > 0 {
		wrong.Add("gateway.features", "want parse only with upstream.kind on_premise, which has no %s", strings.Join(other, ", "))
	}
}

// Notes returns what the settings, which must be valid, mean for operators and may surprise
// them.
func (c *Config) Notes() []string {
	var notes []string
	switch {
	case c.Upstream.OnPremise():
		notes = append(notes, "upstream.kind on_premise: there are no access tokens, so POST /v1/token and the other token routes answer 403 tokens_unavailable. "+
			"Statements are sent to POST /v1/statements, or to a path of compat.routes of the kind parse.")
		for i, r := range c.Compat.Routes {
			if r.Is == CompatToken {
				notes = append(notes, fmt.Sprintf("compat.routes[%d]: %s answers that there are no access tokens.", i, r.Path))
			}
		}
	case c.Token.Mode != ModeGateway:
		notes = append(notes, "token.mode "+c.Token.Mode+" hands out the vendor's own tokens. Whoever has one reaches the whole vendor account until it expires: "+
			"the mailboxes and OTP sessions of all users, and the credits. The vendor cannot revoke it. With token.mode gateway, browsers get tokens of this broker instead.")
	}
	if strings.HasPrefix(c.Upstream.URL, "http:") && c.Upstream.AllowHTTP != "" {
		notes = append(notes, "upstream.allow_http: API keys and statements go to "+c.Upstream.AllowHTTP+" without encryption.")
	}
	return notes
}
