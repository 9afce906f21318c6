package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kubernetes gives each container variables with the address of each Service of its
// namespace. Those of a Service called casbroker, or casbroker-redis, begin with Prefix.
const (
	linkHost = "_SERVICE_HOST"
	linkPort = "_SERVICE_PORT"
)

var (
	// linkName is what follows the name of a Service in the name of a variable, but for
	// linkHost and linkPort.
	linkName = regexp.MustCompile(`^_(SERVICE_PORT_[A-Z0-9_]+|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	linkURL  = regexp.MustCompile(`^(tcp|udp|sctp)://(.+)$`)
)

// ServiceLinks returns the names of the variables in environ that Kubernetes has made for
// Services whose names begin with casbroker. They are not settings.
func ServiceLinks(environ []string) []string {
	vars := map[string]string{}
	for _, line := range environ {
		if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, Prefix) {
			vars[name] = value
		}
	}
	var links []string
	for name, value := range vars {
		service, ok := strings.CutSuffix(name, linkHost)
		port, hasPort := vars[service+linkPort]
		if !ok || !isAddr(value) || !hasPort || !isPort(port) {
			continue
		}
		links = append(links, name, service+linkPort)
		for other, text := range vars {
			if rest, ok := strings.CutPrefix(other, service); ok && linkName.MatchString(rest) && isLink(rest, text) {
				links = append(links, other)
			}
		}
	}
	slices.Sort(links)
	return slices.Compact(links)
}

// isLink reports whether value has the form that Kubernetes gives to the variable of a
// Service whose name ends with rest.
func isLink(rest, value string) bool {
	switch {
	case strings.HasPrefix(rest, linkPort), strings.HasSuffix(rest, "_PORT") && rest != "_PORT":
		return isPort(value)
	case strings.HasSuffix(rest, "_ADDR"):
		return isAddr(value)
	case strings.HasSuffix(rest, "_PROTO"):
		return slices.Contains([]string{"tcp", "udp", "sctp"}, value)
	default:
		m := linkURL.FindStringSubmatch(value)
		if m == nil {
			return false
		}
		_, err := netip.ParseAddrPort(m[2])
		return err == nil
	}
}

func isAddr(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}
