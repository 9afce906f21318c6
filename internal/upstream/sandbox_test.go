package upstream_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/upstream"
)

const mintPath = "/v1/token"

// startSandbox starts the sandbox and returns a client of it with short pauses.
func startSandbox(t *testing.T, key secret.Text, faults ...sandbox.Fault) (*upstream.Client, *sandbox.Sandbox) {
	t.Helper()
	box := sandbox.New(sandbox.Options{APIKey: apiKey, Faults: faults})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	o := quickOptions(server.URL + "/") // a slash at the end changes nothing
	o.Timeout = 300 * time.Millisecond
	o.APIKey = key
	return upstream.New(o), box
}

func TestSandboxMintsAToken(t *testing.T) {
	t.Parallel()
	c, box := startSandbox(t, apiKey)
	m, err := c.Mint(t.Context(), 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(m.Value.Reveal(), "at_") || m.ExpiresIn != 15*time.Minute ||
		!strings.HasPrefix(m.RequestID, "req_") || box.IssuedTokens() != 1 {
		t.Errorf("got a token of %d characters for %v of request %s; %d issued", len(m.Value), m.ExpiresIn, m.RequestID, box.IssuedTokens())
	}
}

func TestSandboxRefusesOtherKeysAndTokens(t *testing.T) {
	t.Parallel()
	c, _ := startSandbox(t, "another-key")
	_, err := c.Mint(t.Context(), time.Hour)
	wantFault(t, err, upstream.ErrRefusedKey)

	c, box := startSandbox(t, apiKey)
	m, err := c.Mint(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	o := quickOptions(server.URL)
	o.APIKey = m.Value
	_, err = upstream.New(o).Mint(t.Context(), time.Hour)
	if f := wantFault(t, err, upstream.ErrRefusedKey); !strings.Contains(f.Note, "holds an access token") {
		t.Errorf("got note %q", f.Note)
	}
}

func TestMintSurvivesOneFailureOfEachKind(t *testing.T) {
	t.Parallel()
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.FaultStatus, Status: 500}, {Kind: sandbox.FaultStatus, Status: 502},
		{Kind: sandbox.FaultStatus, Status: 503}, {Kind: sandbox.FaultStatus, Status: 504},
		{Kind: sandbox.FaultDrop}, {Kind: sandbox.FaultTruncate},
		{Kind: sandbox.FaultDelay, DelayMS: 700}, {Kind: sandbox.FaultDrip, DelayMS: 100},
	} {
		f.Path, f.Times = mintPath, 1
		c, box := startSandbox(t, apiKey, f)
		if _, err := c.Mint(t.Context(), time.Hour); err != nil || box.Calls(mintPath) != 2 {
			t.Errorf("%s %d: %v after %d calls", f.Kind, f.Status, err, box.Calls(mintPath))
		}
	}
}

func TestMalformedAnswerIsNotRetried(t *testing.T) {
	t.Parallel()
	c, box := startSandbox(t, apiKey, sandbox.Fault{Path: mintPath, Kind: sandbox.FaultMalformed})
	_, err := c.Mint(t.Context(), time.Hour)
	wantFault(t, err, upstream.ErrBadAnswer)
	if box.Calls(mintPath) != 1 {
		t.Errorf("got %d calls, want 1", box.Calls(mintPath))
	}
}
