package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"casbroker/internal/check"
	"casbroker/internal/netaddr"
)

// Inbound configures the route at which the vendor reports forwarded mail.
type Inbound struct {
	Path      string   `yaml:"path"`       // "" for no such route
	URL       string   `yaml:"url"`        // of the broker, as the vendor reaches it; "" for server.public_url
	FileHosts []string `yaml:"file_hosts"` // of the URLs that it may report; none for those of the vendor's domain
	Parse     bool     `yaml:"parse"`      // files of users who agree are parsed and saved by themselves
}

// The range of gateway.poll_every. An address lives 30 minutes after the vendor was last
// asked about it.
const (
	minPollEvery = 3 * time.Second
	maxPollEvery = 5 * time.Minute
)

// fileHostPattern is the form of an element of inbound.file_hosts.
var fileHostPattern = regexp.MustCompile(`^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]{1,5})?$`)

func (i Inbound) validate(wrong *check.Errors, mode string, g Gateway, u Upstream) {
	if i.Path != "" {
		first, _, _ := strings.Cut(strings.TrimPrefix(i.Path, "/"), "/")
		wrong.Require(gatewayPath.MatchString(i.Path), "inbound.path",
			`want a path such as /inbound, of a-z, 0-9, - and /, without a slash at the end, or "" for none`)
		wrong.Require(!slices.Contains(reservedPaths, first), "inbound.path", "want another path than /%s, which the broker uses itself", first)
		apart := !strings.HasPrefix(i.Path+"/", g.Path+"/") && !strings.HasPrefix(g.Path+"/", i.Path+"/")
		wrong.Require(apart, "inbound.path", "want a path that is not below gateway.path, %s, nor above it", g.Path)
	}
	if i.URL != "" {
		wrong.URL("inbound.url", i.URL)
		wrong.Require(!strings.HasSuffix(i.URL, "/"), "inbound.url", "want no slash at the end")
		wrong.Require(strings.HasPrefix(i.URL, "https:") || u.IsLocal(), "inbound.url", "want https: the vendor calls no other address")
	}
	if i.Parse {
		wrong.Require(slices.Contains(g.Features, FeatureInboundEmail), "inbound.parse",
			"want %s in gateway.features: without it there are no forwarding addresses", FeatureInboundEmail)
		wrong.Require(mode != ModeDirect, "inbound.parse", "want token.mode gateway or both: forwarding addresses are made through the gateway")
	}
	for n, host := range i.FileHosts {
		wrong.Require(fileHostPattern.MatchString(host), fmt.Sprintf("inbound.file_hosts[%d]", n),
			"want a host in lower case such as files.example, or *.files.example for all hosts below a domain, not %q", host)
	}
}

// IsLocal reports whether the vendor is on this machine, as the sandbox is.
func (u Upstream) IsLocal() bool {
	parsed, err := url.Parse(u.URL)
	return err == nil && netaddr.IsLoopback(parsed.Host)
}
