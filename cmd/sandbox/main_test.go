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
	_ = nextLine() // URL of the personas
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

func TestProgramPrintsInvestorsAndExits(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-personas"}, "", &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"asha", "Rohan Iyer", "ZZZPN0000C", "9900000300000036", "1990-01-15", "123456", "meera@example.com", "ID-SOURCE.pdf"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %s, want it to contain %s", out.String(), want)
		}
	}
}

func TestCreditsRunOutAfterAsManyAsTheFlagSays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flags  []string
		status int
		body   string
	}{
		{[]string{"-credits", "1"}, http.StatusPaymentRequired, `"code":"INSUFFICIENT_CREDITS"`},
		{[]string{"-credits", "1", "-openapi-errors"}, http.StatusForbidden, `{"status":"failed","msg":"API quota exceeded or invalid API key"}`},
		{[]string{"-credits", "1", "-rate-limit", "1"}, http.StatusTooManyRequests, `"code":"RATE_LIMITED"`},
		{[]string{"-credits", "-1", "-rate-limit", "-1"}, http.StatusOK, `"cas_type":"NSDL"`},
	} {
		ctx, stop := context.WithCancel(t.Context())
		printed, out := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- run(ctx, append(tt.flags, "-addr", "127.0.0.1:0"), "sk_test", out, io.Discard) }()
		lines := bufio.NewScanner(printed)
		if !lines.Scan() {
			t.Fatal("got no output")
		}
		first := strings.Fields(lines.Text())
		go func() { _, _ = io.Copy(io.Discard, printed) }()
		const parsed = `{"pdf_url":"https://a.example/nsdl.pdf"}`
		if status, body := post(t, first[len(first)-1]+"/v4/smart/parse", "sk_test", parsed); status != http.StatusOK {
			t.Errorf("%v: first parse: got %d: %.80s, want 200", tt.flags, status, body)
		}
		if status, body := post(t, first[len(first)-1]+"/v4/smart/parse", "sk_test", parsed); status != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%v: second parse: got %d: %.80s, want %d and %s", tt.flags, status, body, tt.status, tt.body)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("run returned %v, want nil", err)
		}
	}
}

func mint(t *testing.T, base, key string) (status int, body string) {
	t.Helper()
	return post(t, base+"/v1/token", key, "")
}

func post(t *testing.T, url, key, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
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
	for _, want := range []string{"Usage: sandbox", "-addr", "127.0.0.1:8090", "-api-key", "SANDBOX_API_KEY", "-parse-delay", "-old-errors", "-openapi-errors", "-credits", "-rate-limit", "-personas"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %s: %s", want, out.String())
		}
	}
	if errOut.Len() > 0 {
		t.Errorf("help wrote to the error output: %s", errOut.String())
	}
	for _, args := range [][]string{{"-colour"}, {"serve"}, {"-credits", "-2"}, {"-rate-limit", "0"}} {
		errOut.Reset()
		if err := run(t.Context(), args, "", io.Discard, &errOut); !errors.Is(err, errUsage) || errOut.Len() == 0 {
			t.Errorf("%v: got %v, %q; want a usage error and a message", args, err, errOut.String())
		}
	}
}
