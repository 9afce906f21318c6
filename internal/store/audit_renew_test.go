package store

import (
	"path/filepath"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/testkit/services"
)

func TestIdleProcessTakesUpItsChainAgain(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "broker.db") },
		"postgres": func() string { return services.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openNew(t, url())
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
}
