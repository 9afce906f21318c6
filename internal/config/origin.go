package config

import (
	"fmt"
	"regexp"

	"casbroker/internal/check"
	"casbroker/internal/netaddr"
)

// headerPattern is the name of a header, or the beginning of names with * at its end.
var headerPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+\*?$`)

// tracingHeaders are those that tools add to the calls of pages.
func tracingHeaders() []string {
	return []string{"traceparent", "tracestate", "baggage", "sentry-trace", "x-datadog-*", "x-requested-with"}
}

func (s Server) validateOrigins(wrong *check.Errors) {
	for i, text := range s.AllowedOrigins {
		key := fmt.Sprintf("server.allowed_origins[%d]", i)
		switch origin, ok := netaddr.Origin(text); {
		case !ok:
			wrong.Add(key, "want an exact origin such as https://app.example or capacitor://localhost, without path or wildcard; null is not an origin")
		case origin != text:
			wrong.Add(key, "want %s, which is how browsers send it", origin)
		}
	}
	for i, name := range s.AllowedHeaders {
		wrong.Require(headerPattern.MatchString(name), fmt.Sprintf("server.allowed_headers[%d]", i),
			"want the name of a header, or the beginning of names such as x-datadog-*")
	}
}
