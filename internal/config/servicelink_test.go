package config_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/config"
)

// links are the variables of a Service in the form of Kubernetes, whose name in capital
// letters is given.
func links(service, addr, port string) []string {
	url := "tcp://" + addr + ":" + port
	if strings.Contains(addr, ":") {
		url = "tcp://[" + addr + "]:" + port
	}
	tcp := service + "_PORT_" + port + "_TCP"
	return []string{
		service + "_SERVICE_HOST=" + addr, service + "_SERVICE_PORT=" + port, service + "_SERVICE_PORT_HTTP=" + port, service + "_SERVICE_PORT_METRICS_V2=9090",
		service + "_PORT=" + url, tcp + "=" + url, tcp + "_PROTO=tcp", tcp + "_PORT=" + port, tcp + "_ADDR=" + addr,
	}
}

func TestServiceLinksOfKubernetesAreIgnored(t *testing.T) {
	t.Parallel()
	// Also of Services whose names are those of groups and lists of settings.
	for _, service := range []string{"CASBROKER", "CASBROKER_REDIS", "CASBROKER_POSTGRES_1", "CASBROKER_SERVER", "CASBROKER_UPSTREAM", "CASBROKER_SEAL_KEYS_0"} {
		for _, addr := range []string{"10.43.0.7", "fd00::7"} {
			made := links(service, addr, "8080")
			c, err := config.Load(config.Default(), "", append(slices.Clone(made), "CASBROKER_UPSTREAM_ATTEMPTS=2", "HOME=/"))
			want := config.Default()
			want.Upstream.Attempts = 2
			if err != nil || !reflect.DeepEqual(c, want) {
				t.Errorf("%s: got %v and %+v", service, err, c)
			}
			if got := config.ServiceLinks(append(slices.Clone(made), "HOME=/", "CASBROKER_UPSTREAM_ATTEMPTS=2")); len(got) != len(made) {
				t.Errorf("%s: got %v, want %v", service, got, made)
			}
		}
	}
	if got := config.ServiceLinks([]string{"CASBROKER_LOG_LEVEL=info", "REDIS_SERVICE_HOST=10.0.0.1", "REDIS_SERVICE_PORT=1"}); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestNearMissesOfServiceLinksStopTheStart(t *testing.T) {
	t.Parallel()
	service := []string{"CASBROKER_SERVICE_HOST=10.43.0.7", "CASBROKER_SERVICE_PORT=8080"}
	for _, environ := range [][]string{
		{"CASBROKER_PORT=8080"},
		{"CASBROKER_PORT=tcp://10.43.0.7:8080"}, // of no Service
		{"CASBROKER_SERVER_PORT=8080"},
		{"CASBROKER_SERVICE_HOST=10.43.0.7"},
		{"CASBROKER_SERVICE_HOST=casbroker", "CASBROKER_SERVICE_PORT=8080"},
		{"CASBROKER_SERVICE_PORT=8080"},
		{"CASBROKER_SERVICE_HOST=10.43.0.7", "CASBROKER_SERVICE_PORT=http"},
		append([]string{"CASBROKER_PORT=8080"}, service...),
		append([]string{"CASBROKER_SERVER_PORT=8080"}, service...),
		append([]string{"CASBROKER_PORT_8080_TCP_HOST=10.43.0.7"}, service...),
		append([]string{"CASBROKER_PORT_HTTP_TCP=tcp://10.43.0.7:8080"}, service...),
		append([]string{"CASBROKER_PORT_8080_TCP_ADDR=casbroker"}, service...),
		append([]string{"CASBROKER_PORT_8080_TCP_PROTO=http"}, service...),
		append([]string{"CASBROKER_SERVICE_PORTS=8080"}, service...),
		append([]string{"CASBROKER_STORE=sqlite:x.db"}, service...),
	} {
		if _, err := config.Load(config.Default(), "", environ); err == nil || !strings.Contains(err.Error(), "there is no such setting") {
			t.Errorf("%v: got %v", environ, err)
		}
	}
}

func TestNoSettingHasTheFormOfAServiceLink(t *testing.T) {
	t.Parallel()
	c := load(t, `{upstream: {keys: [{}]}, auth: {verifiers: [{}], service_keys: [{}]}, budgets: [{}], webhooks: {endpoints: [{secrets: [{}]}]}, seal: {keys: [{}]}, compat: {routes: [{}]}, admin: {keys: [{}]}}`)
	for _, e := range c.List() {
		name := config.Prefix + strings.ToUpper(strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(e.Key))
		for _, form := range []string{"_SERVICE_HOST", "_SERVICE_PORT", "_PORT", "_TCP", "_ADDR", "_PROTO"} {
			if strings.HasSuffix(name, form) {
				t.Errorf("%s would be taken for a service link", name)
			}
		}
	}
}
