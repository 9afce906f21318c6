package store

import (
	"testing"
	"time"

	"casbroker/internal/audit"
)

func TestIdleProcessTakesUpItsChainAgain(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		s := openNew(t, url)
		now := time.Now()
		s.chains.now = func() time.Time { return now }
		for i, idle := range []time.Duration{
			0, time.Second, chainLeaseTime - leaseMargin - time.Second, // each record extends the lease
			chainLeaseTime - leaseMargin, // no use of it any more, but it has not ended
			chainLeaseTime, time.Hour,
		} {
			now = now.Add(idle)
			if err := s.Append(t.Context(), audit.New(t.Context(), now, audit.Broker, audit.BrokerStart, "", "")); err != nil {
				t.Fatal(err)
			}
			heads, err := heldHeads(t.Context(), s.reader, now)
			want := 1
			if i > 2 {
				want = 2
			}
			if err != nil || len(heads) != want {
				t.Errorf("after a pause of %s: got %d chains, %v, want %d", idle, len(heads), err, want)
			}
		}
		trail := audit.Service{Store: s, Chains: s, Box: s.box}
		if report, err := trail.Verify(t.Context(), func(b audit.Break) { t.Error(b) }); err != nil || report.Records != 6 {
			t.Errorf("got %+v %v", report, err)
		}
	})
}
