package token_test

import (
	"fmt"
	"testing"
	"time"

	"casbroker/internal/token"
)

func TestStateOfAGrant(t *testing.T) {
	t.Parallel()
	issued := time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)
	expires := issued.Add(time.Hour)
	g := token.Grant{IssuedAt: issued, ExpiresAt: expires}
	at := func(minutes int) time.Time { return issued.Add(time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		now         time.Time
		revocations []time.Time
		want        token.State
		revoked     time.Time
	}{
		"no revocations":                              {at(30), nil, token.StateActive, time.Time{}},
		"zero revocations":                            {at(30), make([]time.Time, 3), token.StateActive, time.Time{}},
		"at the time of expiry":                       {expires, nil, token.StateExpired, time.Time{}},
		"the first revocation counts":                 {at(30), []time.Time{at(20), {}, at(10)}, token.StateRevoked, at(10)},
		"revoked before expiry, long expired":         {at(90), []time.Time{at(10)}, token.StateRevoked, at(10)},
		"revoked after expiry":                        {at(90), []time.Time{at(70)}, token.StateExpired, time.Time{}},
		"revoked by a fast clock while it is living":  {at(59), []time.Time{at(65)}, token.StateRevoked, at(65)},
		"revoked by a fast clock, expired since then": {at(61), []time.Time{at(65)}, token.StateExpired, time.Time{}},
	} {
		if state, revoked := g.StateAt(c.now, c.revocations...); state != c.want || !revoked.Equal(c.revoked) {
			t.Errorf("%s: got %s, %v, want %s, %v", name, state, revoked, c.want, c.revoked)
		}
	}
}

func ExampleGrant_StateAt() {
	issued := time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)
	g := token.Grant{ID: "gr_1", IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}
	revokedForAll := issued.Add(20 * time.Minute)

	state, _ := g.StateAt(issued.Add(10 * time.Minute))
	fmt.Println(state)
	state, at := g.StateAt(issued.Add(30*time.Minute), time.Time{}, revokedForAll)
	fmt.Println(state, at.Format(time.TimeOnly))
	state, _ = g.StateAt(issued.Add(2 * time.Hour))
	fmt.Println(state)
	// Output:
	// active
	// revoked 10:20:00
	// expired
}
