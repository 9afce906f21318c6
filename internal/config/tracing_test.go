package config_test

import (
	"strings"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/secret"
)

func TestUnsafeSettingsOfTracesAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key    string
		change func(*config.Tracing)
		valid  bool
	}{
		{"tracing.endpoint", func(*config.Tracing) {}, true},
		{"tracing.endpoint", func(c *config.Tracing) { c.Endpoint = "http://127.0.0.1:4318" }, true},
		{"tracing.endpoint", func(c *config.Tracing) { c.Endpoint = "http://otel-collector.monitoring.svc:4318" }, true},
		{"tracing.endpoint", func(c *config.Tracing) { c.Endpoint = "http://collector.example" }, false},
		{"tracing.endpoint", func(c *config.Tracing) { c.Endpoint = "https://me:hush@collector.example" }, false},
		{"tracing.endpoint", func(c *config.Tracing) { c.Endpoint = "https://collector.example?key=hush" }, false},
		{"tracing.endpoint", func(c *config.Tracing) { c.Endpoint = "collector:4318" }, false},
		{"tracing.endpoint", func(c *config.Tracing) { c.Endpoint = "grpc://collector:4317" }, false},
		{"tracing.sample", func(c *config.Tracing) { c.Sample = "0.5%" }, true},
		{"tracing.sample", func(c *config.Tracing) { c.Sample = "0%" }, true},
		{"tracing.sample", func(c *config.Tracing) { c.Sample = "101%" }, false},
		{"tracing.sample", func(c *config.Tracing) { c.Sample = "-1%" }, false},
		{"tracing.sample", func(c *config.Tracing) { c.Sample = "NaN%" }, false},
		{"tracing.sample", func(c *config.Tracing) { c.Sample = "0.1" }, false},
		{"tracing.sample", func(c *config.Tracing) { c.Sample = "" }, false},
		{"tracing.headers", func(c *config.Tracing) { c.Headers = "a=b, c=%2C=" }, true},
		{"tracing.headers", func(c *config.Tracing) { c.Headers = "hush" }, false},
		{"tracing.headers", func(c *config.Tracing) { c.Headers = "a=hush%" }, false},
		{"tracing.headers", func(c *config.Tracing) { c.Headers = "a b=hush" }, false},
		{"tracing.headers", func(c *config.Tracing) { c.Headers = "a=hush%0d%0ab" }, false},
		{"tracing.headers", func(c *config.Tracing) { c.Endpoint, c.Headers = "", "a=hush" }, false},
		{"tracing.headers_file", func(c *config.Tracing) { c.HeadersFile = "headers" }, true},
		{"tracing.headers_file", func(c *config.Tracing) { c.Headers, c.HeadersFile = "a=hush", "headers" }, false},
		{"tracing.headers_file", func(c *config.Tracing) { c.Endpoint, c.HeadersFile = "", "headers" }, false},
		{"tracing.trusted_callers[0]", func(c *config.Tracing) { c.TrustedCallers = []string{"10.0.0.0/8"} }, true},
		{"tracing.trusted_callers[0]", func(c *config.Tracing) { c.TrustedCallers = []string{"10.0.0.1"} }, false},
		{"tracing.trusted_callers", func(c *config.Tracing) { c.Endpoint, c.TrustedCallers = "", []string{"10.0.0.0/8"} }, false},
		{"tracing.send_to_vendor", func(c *config.Tracing) { c.Endpoint, c.SendToVendor = "", true }, false},
	} {
		s := config.Default()
		s.Tracing.Endpoint = "https://collector.example"
		c.change(&s.Tracing)
		err := s.Validate() // other settings are missing
		if err == nil {
			t.Fatal("got no error")
		}
		if named := strings.Contains(err.Error(), c.key+": "); named == c.valid {
			t.Errorf("%s of %+v: got %v, want it named: %v", c.key, s.Tracing, err, !c.valid)
		}
		var printed strings.Builder
		if err := s.Print(&printed); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(err.Error(), "hush") || strings.Contains(printed.String(), "hush") {
			t.Errorf("%s: got %v and %s, want no secret", c.key, err, printed.String())
		}
	}
}

func TestPathOfOTLPIsAddedToAnAddressWithoutOne(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"http://c:4318": "http://c:4318/v1/traces", "http://c:4318/": "http://c:4318/v1/traces", "https://c/otlp/v1/traces": "https://c/otlp/v1/traces",
	} {
		if got := (config.Tracing{Endpoint: endpoint}).URL().String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	header, values, err := config.Tracing{Headers: secret.Text("a=b, C=x%2Cy=z")}.Header()
	if err != nil || header.Get("A") != "b" || header.Get("c") != "x,y=z" || len(values) != 2 {
		t.Errorf("got %v and %d values, %v", header, len(values), err)
	}
}
