package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/apitest"
	"casbroker/internal/testkit/storetest"
)

// pathOf returns the path of a route as web/openapi.yaml writes it, and one for a request.
func pathOf(route string) (described, requested string) {
	parts := strings.Split(route, "/")
	for i, part := range parts {
		name, isParam := strings.CutPrefix(part, ":")
		switch {
		case isParam && name == "subject":
			parts[i] = "app:asha"
		case isParam:
			parts[i] = "x"
		}
	}
	requested = strings.Join(parts, "/")
	for i, part := range strings.Split(route, "/") {
		if name, isParam := strings.CutPrefix(part, ":"); isParam {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/"), requested
}

func TestEachRouteRefusesUnknownQueryParametersAndNamesItsOwn(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := serviceKey(t, &settings, "crm", []string{"app"}, auth.ScopeService)
	b := start(t, settings)
	checked := 0
	for _, route := range b.app.Routes() {
		if !strings.HasPrefix(route.Path, "/v1/") {
			continue
		}
		checked++
		described, requested := pathOf(route.Path)
		known := httpapi.DeclaredQuery(route)
		if want := apitest.QueryParams(t, route.Method, described); !slices.Equal(slices.Sorted(slices.Values(known)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s %s takes %q, want %q, as in web/openapi.yaml", route.Method, described, known, want)
		}
		token := bearer(t, "asha")
		if strings.HasPrefix(route.Path, "/v1/users/") || route.Path == "/v1/events" {
			token = key
		}
		names := "This call takes no query parameters."
		if len(known) > 0 {
			names = "This call takes only these query parameters: " + strings.Join(known, ", ") + "."
		}
		got := b.as(t, token, route.Method, requested+"?kind=equity", "")
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, `"code":"invalid_query"`) || !strings.Contains(got.body, names) {
			t.Errorf("%s %s with an unknown parameter: got %d %s, want 400 invalid_query with %q", route.Method, requested, got.status, got.body, names)
		}
	}
	if checked < 40 {
		t.Errorf("checked %d routes, want all below /v1", checked)
	}
}

func TestUnknownQueryDoesNotHideOtherRefusals(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	b := start(t, settings)
	if got := b.as(t, "wrong", http.MethodGet, "/v1/portfolios?x=1", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without a valid token: got %d, want 401", got.status)
	}
	for path, want := range map[string]int{"/v1/nothing?x=1": http.StatusNotFound, "/v1/worth?x=1": http.StatusMethodNotAllowed} {
		if got := b.call(t, "asha", http.MethodPost, path, ""); got.status != want {
			t.Errorf("POST %s: got %d, want %d", path, got.status, want)
		}
	}
	for _, query := range []string{"limit=1&limit=2", "limit=%zz", "limit=1;cursor"} {
		b.call(t, "asha", http.MethodGet, "/v1/portfolios?"+query, "").mustRefuse(t, http.StatusBadRequest, "invalid_query")
	}
}
