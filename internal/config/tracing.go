package config

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"casbroker/internal/check"
	"casbroker/internal/netaddr"
	"casbroker/internal/secret"
)

// Tracing configures traces: what requests spent their time on, sent with OTLP over HTTP.
type Tracing struct {
	Endpoint       string      `yaml:"endpoint"`        // URL of the collector, "" for no traces
	Headers        secret.Text `yaml:"headers"`         // that the collector gets, "name=value,…"
	HeadersFile    string      `yaml:"headers_file"`    // that has them
	Sample         string      `yaml:"sample"`          // share of the traces that are sent, such as "10%"
	TrustedCallers []string    `yaml:"trusted_callers"` // networks (CIDR) of callers who decide which traces are sent
	SendToVendor   bool        `yaml:"send_to_vendor"`  // the ids of traces
}

// tracesPath is the path of OTLP, for an endpoint without one.
const tracesPath = "/v1/traces"

// URL returns the address that spans are posted to. It is nil without traces, and for an
// endpoint that is not valid.
func (t Tracing) URL() *url.URL {
	u, err := url.Parse(t.Endpoint)
	if t.Endpoint == "" || err != nil {
		return nil
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = tracesPath
	}
	return u
}

// Share returns the share of the traces that are sent, from 0 to 1.
func (t Tracing) Share() (float64, error) {
	number, ok := strings.CutSuffix(t.Sample, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(percent >= 0 && percent <= 100) {
		return 0, errors.New(`want 0% to 100%, such as "10%" or "0.5%"`)
	}
	return percent / 100, nil
}

// errHeaders does not quote the headers, which are secret.
var errHeaders = errors.New("want name=value, with a comma between two; a comma or percent sign in a value is written %2C or %25")

// Header returns Headers as a header, and the values.
func (t Tracing) Header() (header http.Header, values []secret.Text, err error) {
	header = http.Header{}
	if t.Headers == "" {
		return header, nil, nil
	}
	for item := range strings.SplitSeq(t.Headers.Reveal(), ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		value, err := url.PathUnescape(value)
		if !ok || err != nil || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, nil, errHeaders
		}
		header.Set(name, value)
		values = append(values, secret.Text(value))
	}
	return header, values, nil
}

// CheckHeaders returns what is wrong with a value for Headers, nil if nothing is.
func CheckHeaders(text secret.Text) error {
	_, _, err := Tracing{Headers: text}.Header()
	return err
}

func (t Tracing) validate(wrong *check.Errors) {
	const endpoint = "tracing.endpoint"
	_, err := t.Share()
	wrong.Require(err == nil, "tracing.sample", "%v", err)
	_, _, err = t.Header()
	wrong.Require(err == nil, "tracing.headers", "%v", err)
	wrong.Require(t.Headers == "" || t.HeadersFile == "", "tracing.headers_file", "set this or headers, not both")
	for i, network := range t.TrustedCallers {
		_, err := netip.ParsePrefix(network)
		wrong.Require(err == nil, fmt.Sprintf("tracing.trusted_callers[%d]", i), "want a network such as 10.0.0.0/8, or 10.0.0.1/32 for one address")
	}
	if t.Endpoint == "" {
		const needed = "needs tracing.endpoint: there are no traces without"
		wrong.Require(t.Headers == "", "tracing.headers", needed)
		wrong.Require(t.HeadersFile == "", "tracing.headers_file", needed)
		wrong.Require(len(t.TrustedCallers) == 0, "tracing.trusted_callers", needed)
		wrong.Require(!t.SendToVendor, "tracing.send_to_vendor", needed)
		return
	}
	switch u, err := url.Parse(t.Endpoint); {
	case err == nil && u.Scheme == "http" && u.Host != "" && netaddr.IsPublic(u.Hostname()):
		wrong.Add(endpoint, "want https; http is allowed for a host in a private network, such as http://otel-collector:4318")
	case err == nil && u.Scheme == "http" && u.Host != "":
		u.Scheme = "https" // plain http is allowed within a private network
		wrong.URL(endpoint, u.String())
	default:
		wrong.URL(endpoint, t.Endpoint)
	}
}
