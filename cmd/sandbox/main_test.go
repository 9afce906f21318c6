package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestProgramServesWithTheKeyItPrintsUntilCanceled(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	printed, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-addr", "127.0.0.1:0", "-old-errors"}, "", out, io.Discard) }()

	lines := bufio.NewScanner(printed)
	nextLine := func() []string {
		if !lines.Scan() {
			t.Fatal("got too few lines of output")
		}
		return strings.Fields(lines.Text())
	}
	first := nextLine()
	base := first[len(first)-1]
	_ = nextLine() // URL of the sample
	last := nextLine()
	key := last[len(last)-1]

	if status, body := mint(t, base, key); status != http.StatusOK {
		t.Errorf("mint: got %d: %s", status, body)
	}
	if status, body := mint(t, base, "another"); status != http.StatusUnauthorized || !strings.Contains(body, `"status":"error"`) {
		t.Errorf("mint with another key and -old-errors: got %d: %s, want 401 with status error", status, body)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("run returned %v, want nil", err)
	}
}

func mint(t *testing.T, base, key string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestConfiguredKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  string
		args []string
	}{
		{"from_the_environment", nil},
		{"", []string{"-api-key", "from_a_flag"}},
	} {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		var out bytes.Buffer
		if err := run(ctx, append(tt.args, "-addr", "127.0.0.1:0"), tt.env, &out, io.Discard); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "from_") {
			t.Errorf("got output %q, want it without the key", out.String())
		}
	}
}

func TestHelpIsPrintedToOutputAndUsageErrorsToErrorOutput(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, "", &out, &errOut); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: got %v, want flag.ErrHelp", err)
	}
	for _, want := range []string{"Usage: sandbox", "-addr", "127.0.0.1:8090", "-api-key", "SANDBOX_API_KEY", "-parse-delay", "-old-errors"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %s: %s", want, out.String())
		}
	}
	if errOut.Len() > 0 {
		t.Errorf("help wrote to the error output: %s", errOut.String())
	}
	for _, args := range [][]string{{"-colour"}, {"serve"}} {
		errOut.Reset()
		if err := run(t.Context(), args, "", io.Discard, &errOut); !errors.Is(err, errUsage) || errOut.Len() == 0 {
			t.Errorf("%v: got %v, %q; want a usage error and a message", args, err, errOut.String())
		}
	}
}
