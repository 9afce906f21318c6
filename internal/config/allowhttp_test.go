package config_test

import (
	"strings"
	"testing"

	"casbroker/internal/config"
)

func TestPlainHTTPToTheVendorNeedsANamedPrivateHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, allowed string
		wrong        string // the key that is named; "" if the settings are valid
	}{
		{"http://sandbox:8090", "sandbox", ""},
		{"http://10.1.2.3:8090", "10.1.2.3", ""},
		{"http://vendor.test.svc", "vendor.test.svc", ""},
		{"https://sandbox", "sandbox", ""},
		{"http://127.0.0.1:8090", "", ""},
		{"http://sandbox:8090", "", "upstream.url"},
		{"http://me:secret@sandbox", "sandbox", "upstream.url"},
		{"ftp://sandbox", "sandbox", "upstream.url"},
		{"http://sandbox:8090", "other", "upstream.allow_http"},
		{"http://sandbox:8090", "sandbox:8090", "upstream.allow_http"},
		{"https://api.casparser.in", "sandbox", "upstream.allow_http"},
		{"http://api.casparser.in", "api.casparser.in", "upstream.allow_http"},
		{"http://203.0.114.9", "203.0.114.9", "upstream.allow_http"},
		{"http://%zz", "sandbox", "upstream.allow_http"},
	} {
		s := valid()
		s.Upstream.URL, s.Upstream.AllowHTTP = c.url, c.allowed
		switch err := s.Validate(); {
		case c.wrong == "" && err != nil:
			t.Errorf("%s with %q: got %v", c.url, c.allowed, err)
		case c.wrong != "" && (err == nil || !strings.HasPrefix(err.Error(), c.wrong+": ") || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s with %q: got %v, want %s named", c.url, c.allowed, err, c.wrong)
		}
	}
	s := valid()
	s.Upstream.URL, s.Upstream.AllowHTTP = "http://sandbox:8090", "sandbox"
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "to sandbox without encryption") {
		t.Errorf("got the notes %s", notes)
	}
	s.Upstream = config.Upstream{Kind: config.KindOnPremise, URL: "http://parser:8000", AllowHTTP: "parser"}
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "upstream.allow_http: ") {
		t.Errorf("on premises: got %v, want upstream.allow_http named", err)
	}
}
