package server_test

import (
	"strings"
	"testing"

	"casbroker/internal/auth"
	"casbroker/internal/testkit/services"
)

func TestLargestTokensPassNginx(t *testing.T) {
	t.Parallel()
	s := earlyServer(t)
	header := "Authorization: Bearer " + strings.Repeat("a", auth.MaxTokenSize) + "\r\nContent-Length: 0\r\n"
	for name, c := range map[string]struct {
		proxy string
		want  int
	}{
		"recipe":      {services.Nginx(t, func(address string) string { return recipe(t, address, s.address) }), 401},
		"as it comes": {services.Nginx(t, func(address string) string { return asItComes(address, s.address) }), 400}, // of nginx
	} {
		res, err := sendAll(t, strings.TrimPrefix(c.proxy, "http://"), "/401", header, nil)
		if err != nil || res.StatusCode != c.want {
			t.Errorf("%s: got %v, %v, want %d", name, res, err, c.want)
		}
	}
}
