package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestLogHasAllRequestsOnceTheBrokerHasEnded(t *testing.T) {
	t.Parallel()
	p := build(t)
	p.start()
	const requests = 40
	for range requests {
		res, err := p.client.Get("http://" + p.address + "/openapi.yaml") //nolint:noctx // the client has a timeout
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("got %d, want 200", res.StatusCode)
		}
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("got %v, want exit code 0", err)
	}
	before, _, stopped := strings.Cut(p.output.String(), `"msg":"stopped"`)
	if n := strings.Count(before, `"route":"/openapi.yaml","status":200`); n != requests || !stopped {
		t.Errorf("got %d lines, then stopped: %v, want %d and true, in\n%s", n, stopped, requests, p.output)
	}
}
