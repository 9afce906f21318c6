package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/gateway"
	"casbroker/internal/privacy"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// own claims a resource and reports whether it is subject's.
func own(t *testing.T, s *store.DB, kind gateway.Kind, id, subject string, at time.Time) bool {
	t.Helper()
	claimed, err := s.ClaimResource(t.Context(), gateway.Resource{Kind: kind, ID: id, Subject: subject, CreatedAt: at})
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

func owner(t *testing.T, s *store.DB, kind gateway.Kind, id string) string {
	t.Helper()
	r, err := s.Resource(t.Context(), kind, id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Subject
}

func TestResourceBelongsToItsFirstUser(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		for range 2 {
			if !own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt) {
				t.Error("the first user does not own it")
			}
		}
		if own(t, s, gateway.Address, "ie_1", "demo:ravi", savedAt) || owner(t, s, gateway.Address, "ie_1") != "demo:asha" {
			t.Error("another user took it")
		}
		if owner(t, s, gateway.OTPSession, "ie_1") != "" || owner(t, s, gateway.Address, "IE_1") != "" {
			t.Error("another resource has the same owner")
		}
		if err := s.ReleaseResource(t.Context(), gateway.Address, "ie_1"); err != nil {
			t.Fatal(err)
		}
		if got := owner(t, s, gateway.Address, "ie_1"); got != "" {
			t.Errorf("a released one is owned by %q", got)
		}
		var claimed atomic.Int32
		var users sync.WaitGroup
		for _, subject := range []string{"demo:a", "demo:b", "demo:c", "demo:d", "demo:e"} {
			users.Go(func() {
				ok, err := s.ClaimResource(t.Context(), gateway.Resource{Kind: gateway.Address, ID: "ie_2", Subject: subject, CreatedAt: savedAt})
				if err != nil {
					t.Error(err)
				}
				if ok {
					claimed.Add(1)
				}
			})
		}
		users.Wait()
		if n := claimed.Load(); n != 1 {
			t.Errorf("%d users own one address", n)
		}
	})
}

func TestResourcesAreListedOldestFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		own(t, s, gateway.Address, "ie_b", "demo:asha", savedAt.Add(2*time.Millisecond))
		own(t, s, gateway.Address, "ie_c", "demo:asha", savedAt.Add(time.Millisecond))
		own(t, s, gateway.OTPSession, "cs_1", "demo:asha", savedAt.Add(3*time.Millisecond))
		own(t, s, gateway.Address, "ie_a", "demo:ravi", savedAt)
		connect(t, s, "state", "handle")
		for kind, want := range map[gateway.Kind][]string{
			gateway.Address: {"ie_c", "ie_b"}, gateway.OTPSession: {"cs_1"}, "": {"", "ie_c", "ie_b", "cs_1"},
		} {
			list, err := s.Resources(t.Context(), "demo:asha", kind)
			if err != nil || len(list) != len(want) {
				t.Errorf("%q: got %+v, %v, want %q", kind, list, err, want)
				continue
			}
			for i, r := range list {
				if r.ID != want[i] || r.Subject != "demo:asha" || r.CreatedAt.Before(savedAt) || (r.Kind == gateway.Mailbox) != (r.ID == "") {
					t.Errorf("%q: got %+v, want %s", kind, r, want[i])
				}
			}
		}
	})
}

func TestOldSessionsAreDeletedWithNewOnes(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		own(t, s, gateway.OTPSession, "cs_1", "demo:asha", savedAt)
		own(t, s, gateway.OTPSession, "cs_2", "demo:ravi", savedAt.Add(time.Hour))
		own(t, s, gateway.Address, "ie_1", "demo:ravi", savedAt)
		own(t, s, gateway.OTPSession, "cs_3", "demo:asha", savedAt.Add(24*time.Hour))
		if owner(t, s, gateway.OTPSession, "cs_1") != "" || rows("vendor_resources") != 3 {
			t.Errorf("%d resources are stored, want 3 without the oldest session", rows("vendor_resources"))
		}
	})
}

func TestErasureDeletesWhatAUserHasAtTheVendor(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		own(t, s, gateway.OTPSession, "cs_1", "demo:asha", savedAt)
		own(t, s, gateway.Address, "ie_2", "demo:ravi", savedAt)
		connect(t, s, "state", "handle")
		begin(t, s, "pending")
		if got := erase(t, s, "demo:ravi"); got != (privacy.EraseResult{}) || rows("mailboxes") != 1 || rows("mailbox_connections") != 1 || rows("vendor_resources") != 2 {
			t.Errorf("erased more than another user's: %+v", got)
		}
		erase(t, s, "demo:asha")
		for _, table := range []string{"vendor_resources", "mailboxes", "mailbox_connections"} {
			if n := rows(table); n != 0 {
				t.Errorf("%d rows in %s, want 0", n, table)
			}
		}
	})
}
