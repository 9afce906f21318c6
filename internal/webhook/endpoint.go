package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"casbroker/internal/check"
	"casbroker/internal/netaddr"
	"casbroker/internal/secret"
)

// Prefixes of keys in the form of Standard Webhooks.
const (
	secretPrefix  = "whsec_" // base64 of 24 to 64 bytes
	ed25519Prefix = "whsk_"  // base64 of an Ed25519 seed, or of seed and public key
	publicPrefix  = "whpk_"
)

// The sizes of a secret, in bytes.
const minSecret, maxSecret = 24, 64

// maxURL is the greatest length of an endpoint's URL.
const maxURL = 2000

// Endpoint is where events are sent.
type Endpoint struct {
	Name    string
	URL     string
	Secrets []secret.Text // "whsec_…"; each signs, so that they can be replaced one by one
	Ed25519 secret.Text   // "whsk_…", which signs besides; "" for none
	Events  []Type        // those that are sent; none means all
}

// Allowed are the private networks and hosts to which events may be sent.
type Allowed struct {
	Networks []netip.Prefix
	Hosts    []string
}

// ParseAllowed reads networks, such as 10.0.0.0/8, and names of hosts.
func ParseAllowed(list []string) (Allowed, error) {
	var a Allowed
	for _, text := range list {
		if network, err := netip.ParsePrefix(text); err == nil {
			a.Networks = append(a.Networks, network.Masked())
			continue
		}
		if !hostPattern.MatchString(text) {
			return a, fmt.Errorf("want networks such as 10.0.0.0/8 and names of hosts in lower case, not %q", text)
		}
		a.Hosts = append(a.Hosts, text)
	}
	return a, nil
}

var (
	hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$`)
	namePattern = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// hostAllowed reports whether host is listed by its name.
func (a Allowed) hostAllowed(host string) bool {
	return slices.Contains(a.Hosts, strings.ToLower(host))
}

// permits reports whether a connection to ip, which host resolved to, may be made.
func (a Allowed) permits(host string, ip netip.Addr) bool {
	ip = ip.Unmap()
	inside := func(p netip.Prefix) bool { return p.Contains(ip.WithZone("")) }
	return netaddr.IsPublic(ip.String()) || a.hostAllowed(host) || slices.ContainsFunc(a.Networks, inside)
}

// private reports whether host, without resolving it, is one of the private ones that are
// allowed.
func (a Allowed) private(host string) bool {
	ip, err := netip.ParseAddr(host)
	return a.hostAllowed(host) || err == nil && a.permits(host, ip) && !netaddr.IsPublic(host)
}

// Check adds what is wrong with e to wrong; key is the setting that it is in.
func (e Endpoint) Check(wrong *check.Errors, key string, allowed Allowed) {
	wrong.Require(namePattern.MatchString(e.Name), key+".name", "required: 1 to 32 of a-z, 0-9 and -, not %q", e.Name)
	if err := checkURL(e.URL, allowed); err != nil {
		wrong.Add(key+".url", "%s", err)
	}
	wrong.Require(len(e.Secrets) > 0, key+".secrets", "want at least one")
	for i, s := range e.Secrets {
		if err := CheckSecret(s); err != nil {
			wrong.Add(fmt.Sprintf("%s.secrets[%d].secret", key, i), "%v", err)
		}
	}
	if e.Ed25519 != "" {
		if err := CheckEd25519(e.Ed25519); err != nil {
			wrong.Add(key+".ed25519_key", "%v", err)
		}
	}
	for _, t := range e.Events {
		wrong.Require(t.Known(), key+".events", "%q is not an event; there are %s", t, typeNames())
	}
}

// CheckSecret returns what is wrong with a secret. The error has no part of it.
func CheckSecret(s secret.Text) error {
	if _, err := decodeSecret(s); err != nil {
		return errors.New("want whsec_ and 24 to 64 random bytes in base64")
	}
	return nil
}

// CheckEd25519 is CheckSecret for a key.
func CheckEd25519(s secret.Text) error {
	if _, err := decodeEd25519(s); err != nil {
		return errors.New("want whsk_ and an Ed25519 key of 32 or 64 bytes in base64")
	}
	return nil
}

func typeNames() string {
	list := make([]string, len(Types))
	for i, t := range Types {
		list[i] = string(t)
	}
	return strings.Join(list, ", ")
}

// checkURL returns what is wrong with the URL of an endpoint. Names are resolved when a
// connection is made.
func checkURL(text string, allowed Allowed) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || len(text) > maxURL:
		return errors.New("want a URL such as https://app.example/webhooks, without user and fragment")
	case u.Scheme == "https" && (netaddr.IsPublic(u.Hostname()) || allowed.private(u.Hostname())):
		return nil
	case u.Scheme == "http" && allowed.private(u.Hostname()):
		return nil
	case u.Scheme == "https" || u.Scheme == "http" && !netaddr.IsPublic(u.Hostname()):
		return fmt.Errorf("%s is not a public host, and webhooks.allow_private does not list it", u.Hostname())
	default:
		return errors.New("want https; http is for hosts that webhooks.allow_private lists")
	}
}

func decodeSecret(s secret.Text) ([]byte, error) {
	text, ok := strings.CutPrefix(s.Reveal(), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return nil, errors.New("not a secret of Standard Webhooks")
	}
	return key, nil
}

func decodeEd25519(s secret.Text) (ed25519.PrivateKey, error) {
	text, ok := strings.CutPrefix(s.Reveal(), ed25519Prefix)
	key, err := base64.StdEncoding.DecodeString(text)
	switch {
	case !ok || err != nil:
	case len(key) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(key), nil
	case len(key) == ed25519.PrivateKeySize && ed25519.NewKeyFromSeed(key[:ed25519.SeedSize]).Equal(ed25519.PrivateKey(key)):
		return key, nil
	}
	return nil, errors.New("not an Ed25519 key of Standard Webhooks")
}

// PublicKey returns the public part of the Ed25519 key, "whpk_…", "" without one.
func (e Endpoint) PublicKey() string {
	key, err := decodeEd25519(e.Ed25519)
	if err != nil {
		return ""
	}
	public, _ := key.Public().(ed25519.PublicKey)
	return publicPrefix + base64.StdEncoding.EncodeToString(public)
}

// filter returns the events as the store keeps them: ",a,b,", "" for all.
func (e Endpoint) filter() string {
	if len(e.Events) == 0 {
		return ""
	}
	list := make([]string, len(e.Events))
	for i, t := range e.Events {
		list[i] = string(t)
	}
	return "," + strings.Join(list, ",") + ","
}

// Filter is a name and the events of an endpoint in the settings.
type Filter struct {
	Name   string
	Events string // ",type,type,", "" for all
}

// Filters returns those of endpoints.
func Filters(endpoints []Endpoint) []Filter {
	list := make([]Filter, len(endpoints))
	for i, e := range endpoints {
		list[i] = Filter{e.Name, e.filter()}
	}
	return list
}
