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

// emulated starts the emulated vendor and returns a quick client of it.
func emulated(t *testing.T, key secret.Text, faults ...sandbox.Fault) (*upstream.Client, *sandbox.Sandbox) {
	t.Helper()
	box := sandbox.New(sandbox.Options{APIKey: apiKey, Faults: faults})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	o := quick(server.URL + "/") // a slash at the end changes nothing
	o.Timeout = 300 * time.Millisecond
	o.APIKey = key
	return upstream.New(o), box
}

func TestTheEmulatedVendorMintsAToken(t *testing.T) {
	t.Parallel()
	c, box := emulated(t, apiKey)
	m, err := c.Mint(t.Context(), 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(m.Value.Reveal(), "at_") || m.ExpiresIn != 15*time.Minute ||
		!strings.HasPrefix(m.RequestID, "req_") || box.IssuedTokens() != 1 {
		t.Errorf("got %d characters for %v as %s; %d issued", len(m.Value), m.ExpiresIn, m.RequestID, box.IssuedTokens())
	}
}

func TestTheEmulatedVendorRefusesOtherKeysAndTokens(t *testing.T) {
	t.Parallel()
	c, _ := emulated(t, "another-key")
	_, err := c.Mint(t.Context(), time.Hour)
	failed(t, err, upstream.ErrRefusedKey)

	c, box := emulated(t, apiKey)
	m, err := c.Mint(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	o := quick(server.URL)
	o.APIKey = m.Value
	_, err = upstream.New(o).Mint(t.Context(), time.Hour)
	if f := failed(t, err, upstream.ErrRefusedKey); !strings.Contains(f.Detail, "holds an access token") {
		t.Errorf("says %q", f.Detail)
	}
}

func TestTheEmulatedVendorsPassingTroublesAreSurvived(t *testing.T) {
	t.Parallel()
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.FaultStatus, Status: 500}, {Kind: sandbox.FaultStatus, Status: 502},
		{Kind: sandbox.FaultStatus, Status: 503}, {Kind: sandbox.FaultStatus, Status: 504},
		{Kind: sandbox.FaultStatus, Status: 429}, {Kind: sandbox.FaultDrop}, {Kind: sandbox.FaultTruncate},
		{Kind: sandbox.FaultDelay, DelayMS: 700}, {Kind: sandbox.FaultDrip, DelayMS: 100},
	} {
		f.Path, f.Times = mintPath, 1
		c, box := emulated(t, apiKey, f)
		if _, err := c.Mint(t.Context(), time.Hour); err != nil || box.Calls(mintPath) != 2 {
			t.Errorf("%s %d: %v after %d calls", f.Kind, f.Status, err, box.Calls(mintPath))
		}
	}
}

func TestTheEmulatedVendorsNonsenseIsNotTaken(t *testing.T) {
	t.Parallel()
	c, box := emulated(t, apiKey, sandbox.Fault{Path: mintPath, Kind: sandbox.FaultMalformed})
	_, err := c.Mint(t.Context(), time.Hour)
	failed(t, err, upstream.ErrBadAnswer)
	if box.Calls(mintPath) != 1 {
		t.Errorf("asked %d times", box.Calls(mintPath))
	}
}
