package outage

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/storetest"
)

// TestVendorOutageLeavesTheRestWorking has a vendor that is down, slow, busy or answers garbage.
// Users go on with the tokens that they have and with gateway tokens; saves and reads go on. A new
// direct token gets 503 with a Retry-After that holds: after the vendor is back, it works by then.
func TestVendorOutageLeavesTheRestWorking(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]sandbox.Fault{
		"down":    {Path: "/*", Kind: sandbox.FaultDrop},
		"failing": {Path: "/*", Kind: sandbox.FaultStatus, Status: http.StatusBadGateway},
		"slow":    {Path: "/*", Kind: sandbox.FaultDelay, DelayMS: 4000},
		"busy":    {Path: "/*", Kind: sandbox.FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: 2},
		"garbage": {Path: "/*", Kind: sandbox.FaultMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := "20s"
			if name == "slow" {
				timeout = "1s"
			}
			d := deployOn(t, storetest.EmptySQLite(t), 1, "CASBROKER_TOKEN_MODE=both", "CASBROKER_UPSTREAM_TIMEOUT="+timeout, "CASBROKER_UPSTREAM_DEADLINE="+timeout,
				"CASBROKER_UPSTREAM_ATTEMPTS=1", "CASBROKER_GATEWAY_PARSE_TIMEOUT="+timeout, "CASBROKER_RATELIMIT_UPLOAD_USER=")
			v := &vendorOutage{t: t, d: d, b: d.replicas[0], asha: brokertest.Token(t, "asha")}
			eventually(t, "a busy machine answers in time, too", func() bool { status, _ := v.mint(); return status == http.StatusOK })
			direct := v.token(v.asha, "direct")
			v.token(v.asha, "gateway")
			d.vendor.AddFault(fault)
			v.refuseUntilTheVendorIsLeftAlone(name != "busy") // which is no failure
			for range either(1, 20) {
				v.othersWork(direct)
			}
			d.vendor.ClearFaults()
			v.recovers()
		})
	}
}

// vendorOutage is a broker whose vendor fails.
type vendorOutage struct {
	t    *testing.T
	d    *deployment
	b    *brokertest.Program
	asha string // a JWT
	n    int    // of users so far
}

// newUser returns the JWT of a user who has no token.
func (v *vendorOutage) newUser() string {
	v.n++
	return brokertest.Token(v.t, fmt.Sprint("new-", v.n))
}

// token takes an access token, which must be there.
func (v *vendorOutage) token(jwt, mode string) (token string) {
	v.t.Helper()
	var got gatewayToken
	v.b.Must(jwt, http.MethodPost, "/v1/token", []byte(`{"mode":"`+mode+`"}`), http.StatusOK, &got)
	return got.AccessToken
}

// mint asks for a direct token of a new user. It returns the Retry-After of a refusal.
func (v *vendorOutage) mint() (status int, retryAfter time.Duration) {
	v.t.Helper()
	r, err := v.b.Call(v.t.Context(), v.newUser(), http.MethodPost, "/v1/token", []byte(`{"mode":"direct"}`))
	if err != nil {
		v.t.Fatal(err)
	}
	if r.Status == http.StatusOK {
		return r.Status, 0
	}
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if r.Status != http.StatusServiceUnavailable || err != nil || seconds < 1 || !strings.Contains(string(r.Body), "upstream_") {
		v.t.Fatalf("a new token: got %d %v %s, want 503 of the vendor with Retry-After", r.Status, r.Header, r.Body)
	}
	return r.Status, time.Duration(seconds) * time.Second
}

// refuseUntilTheVendorIsLeftAlone asks for tokens until the vendor is not asked any more. degraded
// is whether /readyz says so.
func (v *vendorOutage) refuseUntilTheVendorIsLeftAlone(degraded bool) {
	v.t.Helper()
	eventually(v.t, "the vendor is left alone", func() bool {
		before := v.d.vendor.Calls("/v1/token")
		if status, _ := v.mint(); status == http.StatusOK {
			v.t.Fatal("got a token from a vendor that fails")
		}
		return v.d.vendor.Calls("/v1/token") == before
	})
	var ready struct {
		Status   string
		Degraded []struct{ Name string }
	}
	v.b.Must("", http.MethodGet, "/readyz", nil, http.StatusOK, &ready)
	if got := len(ready.Degraded) == 1 && ready.Degraded[0].Name == "vendor"; got != degraded {
		v.t.Errorf("/readyz: got %+v, want the vendor degraded: %t", ready, degraded)
	}
}

// othersWork does what needs no vendor, and sends the gateway a statement.
func (v *vendorOutage) othersWork(direct string) {
	v.t.Helper()
	if again := v.token(v.asha, "direct"); again != direct {
		v.t.Error("got another direct token than the one that is cached")
	}
	user := v.newUser()
	gateway := v.token(user, "gateway")
	v.b.Must(user, http.MethodPost, "/v1/portfolios", statementOf("a fund", 3).payload, http.StatusCreated, nil)
	v.b.Must(user, http.MethodGet, "/v1/portfolios/latest", nil, http.StatusOK, nil)
	r, err := v.b.Call(v.t.Context(), "", http.MethodPost, "/gateway/v4/smart/parse", []byte(statementForm), "Content-Type", formType, "X-Api-Key", gateway)
	var refusal struct{ Status, Code string }
	if err != nil || json.Unmarshal(r.Body, &refusal) != nil || refusal.Status != "failed" || refusal.Code == "" || r.Status < 429 {
		v.t.Errorf("a statement: got %v, %d %s, want a failure in the vendor's shape", err, r.Status, r.Body)
	}
	if (r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable) && r.Header.Get("Retry-After") == "" {
		v.t.Errorf("a statement: got %d %v, want Retry-After", r.Status, r.Header)
	}
}

// recovers asks once more, waits as long as it is told to, and asks again.
func (v *vendorOutage) recovers() {
	v.t.Helper()
	if status, wait := v.mint(); status != http.StatusOK {
		<-time.After(wait)
		if status, _ = v.mint(); status != http.StatusOK {
			v.t.Errorf("got %d after the %s of Retry-After", status, wait)
		}
	}
	v.b.Wait("/readyz", http.StatusOK)
}
