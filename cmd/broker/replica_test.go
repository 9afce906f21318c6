package main

import (
	"net/http"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/testkit/vendortest"
)

// TestKilledReplicaLeavesItsJobsToTheOthers kills one of three replicas while each of them has
// the vendor parse a statement, and others wait. The others are parsed without it; what the
// vendor made of the statement of the killed one is not known, so it is not parsed again.
func TestKilledReplicaLeavesItsJobsToTheOthers(t *testing.T) {
	t.Parallel()
	const apiKey = "an-api-key-of-the-sandbox"
	vendor := sandbox.New(sandbox.Options{APIKey: apiKey, RateLimit: sandbox.Unlimited})
	held := vendortest.Hold(t, vendor, "/v4/smart/parse")
	database := storetest.Postgres(t)
	var replicas [3]*program
	for i := range replicas {
		p := build(t)
		p.Extra = []string{
			"CASBROKER_STORE_URL=" + database, "CASBROKER_UPSTREAM_URL=" + held.URL, "CASBROKER_UPSTREAM_API_KEY=" + apiKey,
			"CASBROKER_STATEMENTS_WORKERS=1", "CASBROKER_TOKEN_MODE=gateway", "CASBROKER_GATEWAY_FEATURES=parse,inbound_email", "CASBROKER_INBOUND_PARSE=true",
		}
		p.Start()
		replicas[i] = p
	}
	killed, alive := replicas[0], replicas[1]
	jobs := map[string]string{} // the path of the job, by the user's JWT
	upload := func(users ...string) {
		for _, user := range users {
			jwt := brokertest.Token(t, user)
			jobs[jwt] = killed.uploadAsync(jwt)
		}
	}
	upload("asha", "rohan", "meera")
	held.Arrivals(t, len(replicas)) // so each has one
	upload("kabir", "zoya")
	forwarded := []string{brokertest.Token(t, "ravi"), brokertest.Token(t, "anita")}
	for _, jwt := range forwarded {
		killed.forward(jwt, held.URL)
	}
	killed.Kill()
	held.Departures(t, 1)
	held.Release()

	lost := 0
	for jwt, path := range jobs {
		switch j := alive.endedJob(jwt, path); {
		case j.State == "done":
		case j.State == "failed" && j.Problem.Code == "outcome_unknown":
			lost++
		default:
			t.Errorf("got %+v", j)
		}
	}
	if lost != 1 {
		t.Errorf("the outcome of %d statements is unknown, want that of the killed replica's", lost)
	}
	for _, jwt := range forwarded {
		alive.wantForwarded(jwt)
	}
	all := len(jobs) + len(forwarded)
	held.Arrivals(t, all-len(replicas))
	held.NoMore(t)
	if n := vendor.Calls("/v4/smart/parse"); n != all-lost {
		t.Errorf("the vendor parsed %d of %d statements, want all but the one whose caller had gone", n, all)
	}
}

// jobView is the answer of GET /v1/jobs/{id}.
type jobView struct {
	State   string
	Problem struct{ Code string }
}

// endedJob waits until a job has ended, and returns it.
func (p *program) endedJob(jwt, path string) (j jobView) {
	p.T.Helper()
	for end := time.Now().Add(time.Minute); ; <-time.After(100 * time.Millisecond) {
		j = jobView{}
		p.Must(jwt, http.MethodGet, path, nil, http.StatusOK, &j)
		if j.State == "done" || j.State == "failed" {
			return j
		}
		if time.Now().After(end) {
			p.T.Fatalf("%s is still %s", path, j.State)
		}
	}
}
