package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/id"
	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// addGrant records another grant of the token value, for subject and a minute later, and
// returns its id.
func (b *broker) addGrant(t *testing.T, subject string, value secret.Text) string {
	t.Helper()
	at := b.now().Add(time.Minute)
	g := token.Grant{
		ID: id.New("gr"), Subject: subject, Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour),
		TokenHash: b.tokens.Box.Digest("access token", []byte(value.Reveal())),
	}
	if err := b.db.RecordGrant(t.Context(), g, audit.New(t.Context(), at, subject, audit.TokenMint, subject, g.ID)); err != nil {
		t.Fatal(err)
	}
	return g.ID
}

func TestTokenOfSeveralGrantsIsActiveWhileOneIs(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		first := b.token(t, "app:asha")
		second := b.addGrant(t, "app:rohan", first.Value)
		for _, grantID := range []string{second, first.GrantID} {
			if got := b.introspect(t, "robot", first.Value); !strings.Contains(got, `"jti":"`+grantID+`"`) {
				t.Errorf("with %s: got %s", grantID, got)
			}
			if _, err := b.service.Access.RevokeGrant(t.Context(), auth.Principal{Subject: "ops:meera"}, grantID); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.introspect(t, "robot", first.Value); got != inactive {
			t.Errorf("with neither grant: got %s", got)
		}
	})
}

func TestTokenOfSeveralGrantsIsRevokedInAll(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		first := b.token(t, "app:asha")
		ids := []string{first.GrantID, b.addGrant(t, "app:kabir", first.Value), b.addGrant(t, "app:rohan", first.Value)}
		if r := b.post(t, "robot", "/oauth/revoke", "token="+first.Value.Reveal()); r.status != http.StatusOK {
			t.Errorf("got %d %s", r.status, r.body)
		}
		for _, grantID := range ids {
			k, err := b.service.Grants.Grant(t.Context(), grantID)
			if err != nil || k.State != token.StateRevoked {
				t.Errorf("%s: got the state %s and %v", grantID, k.State, err)
			}
			b.recordedOnce(t, audit.Filter{Subject: k.Subject, Action: audit.TokenRevoke, Since: begin}, audit.TokenRevoke, grantID)
		}
	})
}

func TestTokenExpiredByOneReplicasClockIsRevokedForTheOthers(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		issued := b.token(t, "app:asha")
		b.passed.Store(int64(65 * time.Minute)) // this clock is ahead
		if r := b.post(t, "robot", "/oauth/revoke", "token="+issued.Value.Reveal()); r.status != http.StatusOK {
			t.Errorf("got %d %s", r.status, r.body)
		}
		b.passed.Store(int64(59 * time.Minute)) // this one is right
		if got := b.introspect(t, "robot", issued.Value); got != inactive {
			t.Errorf("got %s", got)
		}
		if again := b.token(t, "app:asha"); again.Value == issued.Value {
			t.Error("the token was reused")
		}
	})
}
