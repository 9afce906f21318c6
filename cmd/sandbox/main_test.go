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

func TestTheProgramServesWithTheKeyItPrintsAndStopsWhenTold(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	printed, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-old-errors"}, "", out, io.Discard) }()

	lines := bufio.NewScanner(printed)
	words := func() []string {
		if !lines.Scan() {
			t.Fatal("it printed too little")
		}
		return strings.Fields(lines.Text())
	}
	first := words()
	base := first[len(first)-1]
	_ = words() // where the sample is
	last := words()
	key := last[len(last)-1]

	if status, body := mint(t, base, key); status != http.StatusOK {
		t.Errorf("token call answered %d: %s", status, body)
	}
	if status, body := mint(t, base, "another"); status != http.StatusUnauthorized || !strings.Contains(body, `"status":"error"`) {
		t.Errorf("with -old-errors another key was answered %d: %s", status, body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it stopped with %v", err)
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

func TestAKeyThatWasGivenIsNotPrinted(t *testing.T) {
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
			t.Errorf("printed %q", out.String())
		}
	}
}

func TestHelpAndMistakesAreToldApart(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, "", &out, &complaints); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
	for _, want := range []string{"Usage: sandbox", "-addr", "127.0.0.1:8090", "-api-key", "SANDBOX_API_KEY", "-parse-delay", "-old-errors"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help does not tell of %s: %s", want, out.String())
		}
	}
	if complaints.Len() > 0 {
		t.Errorf("help complained: %s", complaints.String())
	}
	for _, args := range [][]string{{"-colour"}, {"serve"}} {
		complaints.Reset()
		if err := run(t.Context(), args, "", io.Discard, &complaints); !errors.Is(err, errUsage) || complaints.Len() == 0 {
			t.Errorf("%v: %v, %q", args, err, complaints.String())
		}
	}
}
