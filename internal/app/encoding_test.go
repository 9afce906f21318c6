package app_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestEncodedBodiesAreRefusedWhereTheyAreNotRead sends bodies that could be read, were it not
// for what their Content-Encoding says.
func TestEncodedBodiesAreRefusedWhereTheyAreNotRead(t *testing.T) {
	t.Parallel()
	settings, vendor := compatSettings(t)
	allFeatures(&settings)
	b := start(t, settings)
	asha := b.page(t, "asha")
	file, form := upload("cdsl", "ABCDE1234F")
	const isJSON, isQuery = "application/json", "application/x-www-form-urlencoded"
	address := `{"pdf_url":"` + settings.Upstream.URL + `/x.pdf","password":"x"}`
	for _, r := range []struct{ method, path, media, body string }{
		{"POST", "/v1/statements", form, file},
		{"POST", "/v1/statements", isJSON, address},
		{"POST", "/v1/statements/fetch", isJSON, fetchCall},
		{"PUT", "/v1/mail-parsing", isJSON, rightPassword},
		{"POST", "/v1/token", isJSON, "{}"},
		{"POST", "/api/casparser/token", isJSON, "{}"},
		{"POST", "/api/parse-cas", form, file},
		{"POST", "/oauth/token", isQuery, "grant_type=x"},
		{"POST", "/v4/smart/parse", form, file}, // of the gateway
		{"POST", "/v4/inbound-email", isJSON, "{}"},
	} {
		for _, coding := range []string{"gzip", "br", "gzip, identity"} {
			header := []string{"Content-Type", r.media, "Content-Encoding", coding, "Prefer", "respond-async"}
			var a answer
			if strings.HasPrefix(r.path, "/v4/") {
				a = asha.call(t, r.method, r.path, r.body, header...)
			} else {
				a = b.call(t, "asha", r.method, r.path, r.body, header...)
			}
			if a.status != http.StatusUnsupportedMediaType || !strings.Contains(strings.ToLower(a.body), `"unsupported_encoding"`) {
				t.Errorf("%s with %s: got %d %s, want 415 unsupported_encoding", r.path, coding, a.status, a.body)
			}
		}
	}
	if n := calls(vendor); n != 0 {
		t.Errorf("the vendor got %d parses", n)
	}
	b.call(t, "asha", http.MethodPost, "/v1/statements", file, "Content-Type", form, "Content-Encoding", "identity").must(t, 201)
}
