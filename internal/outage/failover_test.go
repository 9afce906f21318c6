package outage

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"casbroker/internal/testkit/services"
)

// TestBrokerGoesOnWithTheOtherHost has two hosts in store.url, of which the one that takes changes
// becomes read-only, or is cut off, while the other one is promoted.
func TestBrokerGoesOnWithTheOtherHost(t *testing.T) {
	t.Parallel()
	for name, isCutOff := range map[string]bool{"read-only": false, "cut off": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := services.NewReplicated(t)
			link, primary := services.NewLink(t, servers.Primary)
			broker := observedBroker(t, bothHosts(t, primary, servers.Standby))
			broker.Start()
			m := startObserved(t, broker)
			t.Cleanup(func() {
				if t.Failed() {
					text := broker.Output.String()
					t.Log(text[max(0, len(text)-4000):])
				}
			})
			if isCutOff {
				link.Swallow()
			}
			servers.Failover(t)
			began := time.Now()
			m.wantAll("on the other host")
			took := time.Since(began)
			longest, slowest := m.longestAnswer()
			t.Logf("all succeeded %v after the failover; the longest answer took %v (%s)", took.Round(time.Millisecond), longest.Round(time.Millisecond), slowest)
			if long() && took > 15*time.Second {
				t.Errorf("all succeeded %v after the failover, want 15s at most", took)
			}
			m.wantNothingHalf()
		})
	}
}

// bothHosts returns the URL of the database at first and second, of which the one that takes changes
// is used.
func bothHosts(t *testing.T, first, second string) string {
	t.Helper()
	u, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	other, err := url.Parse(second)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(first, u.Host, u.Host+","+other.Host, 1) + "&target_session_attrs=read-write"
}
