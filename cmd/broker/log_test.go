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
	p.Start()
	const requests = 40
	for range requests {
		res, err := p.Client.Get("http://" + p.Address + "/openapi.yaml") //nolint:noctx // the client has a timeout
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("got %d, want 200", res.StatusCode)
		}
	}
	if err := p.Cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Cmd.Wait(); err != nil {
		t.Errorf("got %v, want exit code 0", err)
	}
	before, _, stopped := strings.Cut(p.Output.String(), `"msg":"stopped"`)
	if n := strings.Count(before, `"route":"/openapi.yaml","status":200`); n != requests || !stopped {
		t.Errorf("got %d lines, then stopped: %v, want %d and true, in\n%s", n, stopped, requests, p.Output)
	}
}
