package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"casbroker/internal/check"
)

// The choices of compat.routes[].is.
const (
	CompatToken = "token" // POST /v1/token, also with GET
	CompatParse = "parse" // the vendor's parse, through the broker
	CompatSave  = "save"  // POST /v1/portfolios
)

// Compat configures paths for front ends that were written for another back end.
type Compat struct {
	Routes []CompatRoute `yaml:"routes"`
}

// CompatRoute is a path of the app's choosing.
type CompatRoute struct {
	Path string `yaml:"path"`
	Is   string `yaml:"is"` // CompatToken, CompatParse or CompatSave
}

// Has reports whether there is a route of this kind.
func (c Compat) Has(is string) bool {
	return slices.ContainsFunc(c.Routes, func(r CompatRoute) bool { return r.Is == is })
}

// compatPath is the form of compat.routes[].path. A part that begins with a dot, a
// parameter and an escaped character are no part of it.
var compatPath = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// maxCompatPath is the longest compat.routes[].path, in bytes. It is a label of metrics.
const maxCompatPath = 128

// below reports whether path is prefix or below it.
func below(path, prefix string) bool {
	return prefix != "" && strings.HasPrefix(path+"/", prefix+"/")
}

func (c *Config) validateCompat(wrong *check.Errors) {
	routes := c.Compat.Routes
	for i, r := range routes {
		key := fmt.Sprintf("compat.routes[%d]", i)
		known := slices.Contains([]string{CompatToken, CompatParse, CompatSave}, r.Is)
		wrong.Require(known, key+".is", "want token, parse or save, not %q", r.Is)
		if !compatPath.MatchString(r.Path) || len(r.Path) > maxCompatPath {
			wrong.Add(key+".path", "want a path such as /api/casparser/token, of at most %d of A-Z, a-z, 0-9, -, ., _, ~ and /, without parameters and without a slash at the end, not %q", maxCompatPath, r.Path)
			continue
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
		wrong.Require(!slices.Contains(reservedPaths, first), key+".path", "want another path than %s: the broker uses /%s itself", r.Path, first)
		wrong.Require(!below(r.Path, c.Gateway.Path), key+".path", "want a path that is not below gateway.path, %s", c.Gateway.Path)
		wrong.Require(!below(r.Path, c.Inbound.Path), key+".path", "want a path that is not below inbound.path, %s", c.Inbound.Path)
		earlier := slices.IndexFunc(routes[:i], func(other CompatRoute) bool { return other.Path == r.Path })
		wrong.Require(earlier < 0, key+".path", "%s is also the path of compat.routes[%d]", r.Path, earlier)
	}
}
