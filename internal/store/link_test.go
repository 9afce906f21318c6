package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/id"
	"casbroker/internal/link"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
	"casbroker/internal/webhook"
)

// addLink adds a link of subject that is valid for an hour from savedAt.
func addLink(t *testing.T, s *store.DB, subject string, use link.Use) link.Link {
	t.Helper()
	l := link.Link{
		ID: id.New("ln"), Subject: subject, Use: use, Language: "hi", Private: link.Private{ReturnURL: "https://app.example", Config: []byte(`{"a":1}`)},
		CreatedBy: "key:app", CreatedAt: savedAt, ExpiresAt: savedAt.Add(time.Hour), State: link.New, AccessVersion: accessVersion(t, s),
	}
	if err := s.AddLink(t.Context(), l, []byte(l.ID), audit.New(t.Context(), savedAt, subject, audit.LinkCreate, subject, l.ID)); err != nil {
		t.Fatal(err)
	}
	return l
}

func accessVersion(t *testing.T, s *store.DB) int64 {
	t.Helper()
	v, err := s.AccessVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// openLinkIn starts a session of l called name, at a time.
func openLinkIn(t *testing.T, s *store.DB, l link.Link, name string, at time.Time) (link.Session, error) {
	t.Helper()
	u := link.Session{ID: id.New("ls"), LinkID: l.ID, StartedAt: at, Steps: []link.Step{{Name: "started", At: at}}}
	err := s.StartLink(t.Context(), l.ID, u, []byte(name), at, audit.New(t.Context(), at, l.Subject, audit.LinkUse, l.Subject, l.ID))
	return u, err
}

func mustOpenLink(t *testing.T, s *store.DB, l link.Link, name string) link.Session {
	t.Helper()
	u, err := openLinkIn(t, s, l, name, savedAt)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// grantIn hands out a token in a session, and returns its grant.
func grantIn(t *testing.T, s *store.DB, l link.Link, u link.Session) token.Grant {
	t.Helper()
	g := token.Grant{
		ID: id.New("gr"), Subject: l.Subject, Mode: token.ModeGateway, IssuedAt: savedAt, ExpiresAt: savedAt.Add(time.Hour),
		TokenHash: []byte(u.ID), AccessVersion: accessVersion(t, s),
	}
	if err := s.RecordGrant(t.Context(), g, audit.New(t.Context(), savedAt, g.Subject, audit.TokenMint, g.Subject, g.ID)); err != nil {
		t.Fatal(err)
	}
	if err := s.AddLinkGrant(t.Context(), u, g.ID, savedAt); err != nil {
		t.Fatal(err)
	}
	return g
}

// linkEvents returns the events of links.
func linkEvents(t *testing.T, s *store.DB) (list []string) {
	t.Helper()
	number(t, s)
	events, _, err := s.Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == webhook.LinkCompleted || e.Type == webhook.LinkAbandoned {
			list = append(list, fmt.Sprint(e.Type, " ", e.Object.LinkID, " ", e.Object.PortfolioID, e.Object.Reason))
		}
	}
	return list
}

func readLink(t *testing.T, s *store.DB, l link.Link, at time.Time) link.Link {
	t.Helper()
	now, err := s.LinkByToken(t.Context(), []byte(l.ID), at)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func TestExpiredLinksAreAbandonedIfTheyWereOpened(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		unopened, opened, open := addLink(t, s, "demo:asha", link.UntilSaved), addLink(t, s, "demo:asha", link.UntilSaved), addLink(t, s, "demo:rohan", link.UntilSaved)
		g := grantIn(t, s, opened, mustOpenLink(t, s, opened, "one"))
		late := savedAt.Add(2 * time.Hour)
		if got := readLink(t, s, opened, late); got.State != link.Expired || got.ReturnURL != "https://app.example" || string(got.Config) != `{"a":1}` {
			t.Errorf("got %+v, want it expired, with what the app gave", got)
		}
		if _, err := openLinkIn(t, s, unopened, "late", late); !errors.Is(err, link.ErrExpired) {
			t.Errorf("got %v, want ErrExpired", err)
		}
		if list, err := s.EndLinks(t.Context(), savedAt.Add(time.Minute), 10); err != nil || len(list) != 0 {
			t.Errorf("got %v, %v, want none to have ended", list, err)
		}
		var replicas sync.WaitGroup
		for range 3 {
			replicas.Go(func() {
				if _, err := s.EndLinks(t.Context(), late, 10); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
		list, err := s.EndLinks(t.Context(), late, 10)
		if err != nil || !slices.Equal(list, []string{opened.ID}) {
			t.Errorf("got %v, %v, want the opened link, whose token is to be revoked", list, err)
		}
		if grants, err := s.LinkGrants(t.Context(), opened.ID); err != nil || !slices.Equal(grants, []string{g.ID}) {
			t.Errorf("got %v, %v, want its grant", grants, err)
		}
		if err := s.SettleLink(t.Context(), opened.ID); err != nil {
			t.Fatal(err)
		}
		if got := linkEvents(t, s); !slices.Equal(got, []string{"link.abandoned " + opened.ID + " expired"}) {
			t.Errorf("got %q, want one event, of the opened link", got)
		}
		for _, until := range []time.Time{savedAt, late} {
			if n, err := s.ExpireLinks(t.Context(), until); err != nil || (n == 3) != until.Equal(late) {
				t.Errorf("deleted %d, %v until %s, want all that ended by then", n, err, until)
			}
		}
		if _, err := s.LinkByToken(t.Context(), []byte(open.ID), savedAt); !errors.Is(err, link.ErrUnknown) {
			t.Errorf("got %v, want no link", err)
		}
	})
}

func TestStatementThatOnlyTheGatewaySawCompletesALink(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		reopened, revoked := addLink(t, s, "demo:asha", link.UntilSaved), addLink(t, s, "demo:asha", link.UntilSaved)
		p := save(t, s, "demo:asha", ledgers(1)).PortfolioID
		var sessions []link.Session
		for _, l := range []link.Link{reopened, revoked} {
			u := mustOpenLink(t, s, l, l.ID)
			sessions = append(sessions, u)
			g := grantIn(t, s, l, u)
			c := budget.Call{ID: id.New("gc"), Subject: l.Subject, Who: l.Subject, App: "demo", GrantID: g.ID, Feature: "smart_parser", StartedAt: savedAt, Reserved: credit.One, PortfolioID: p}
			if _, err := s.BeginCall(t.Context(), c, c.Counters(), func([]credit.Amount, func() ([]budget.Raise, error)) ([]budget.Reached, error) { return nil, nil }); err != nil {
				t.Fatal(err)
			}
		}
		if got := readLink(t, s, reopened, savedAt.Add(time.Minute)); got.State != link.Completed || got.PortfolioID != p || got.SavedBy != sessions[0].ID {
			t.Errorf("got %+v, want it completed with the statement", got)
		}
		if err := s.CompleteLink(t.Context(), sessions[0], p, []byte("key"), savedAt); err != nil {
			t.Fatal(err)
		}
		if got := readLink(t, s, reopened, savedAt); string(got.SavedKey) != "key" {
			t.Errorf("got %+v, want the key of the save that came after", got)
		}
		record := audit.New(t.Context(), savedAt, "key:app", audit.LinkRevoke, revoked.Subject, revoked.ID)
		if already, err := s.RevokeLink(t.Context(), revoked.Subject, revoked.ID, savedAt, record); already || err != nil {
			t.Errorf("got %t, %v", already, err)
		}
		if got := readLink(t, s, revoked, savedAt); got.State != link.Completed {
			t.Errorf("got %+v, want a link with which a statement was saved completed", got)
		}
		want := []string{"link.completed " + reopened.ID + " " + p, "link.completed " + revoked.ID + " " + p}
		if got := linkEvents(t, s); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestChangesOfAccessEndLinks(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		blocked, other := addLink(t, s, "demo:asha", link.UntilSaved), addLink(t, s, "demo:rohan", link.UntilSaved)
		mustOpenLink(t, s, blocked, "one")
		mustAlter(t, s, access.Change{Kind: access.Block, Subject: "demo:asha"}, savedAt)
		if a, o := readLink(t, s, blocked, savedAt), readLink(t, s, other, savedAt); a.State != link.Revoked || o.State != link.New {
			t.Errorf("got %s and %s, want the link of the blocked user revoked", a.State, o.State)
		}
		if _, err := openLinkIn(t, s, blocked, "two", savedAt); !errors.Is(err, link.ErrRevoked) {
			t.Errorf("got %v, want ErrRevoked", err)
		}
		old := blocked
		old.ID = id.New("ln")
		err := s.AddLink(t.Context(), old, []byte(old.ID), audit.New(t.Context(), savedAt, old.Subject, audit.LinkCreate, old.Subject, old.ID))
		if !errors.Is(err, access.ErrBlocked) {
			t.Errorf("got %v for a link that was made while the user was blocked, want ErrBlocked", err)
		}
		mustAlter(t, s, access.Change{Kind: access.RevokeAll}, savedAt)
		if list, err := s.EndLinks(t.Context(), savedAt, 10); err != nil || !slices.Equal(list, []string{blocked.ID}) {
			t.Errorf("got %v, %v, want the opened link", list, err)
		}
		if got := readLink(t, s, other, savedAt); got.State != link.Revoked || got.EndedAt.IsZero() {
			t.Errorf("got %+v, want all links revoked", got)
		}
		if got := linkEvents(t, s); !slices.Equal(got, []string{"link.abandoned " + blocked.ID + " revoked"}) {
			t.Errorf("got %q, want one event", got)
		}
		if later := addLink(t, s, "demo:rohan", link.UntilSaved); readLink(t, s, later, savedAt).State != link.New {
			t.Error("a link that was made after the revocation is revoked")
		}
	})
}

func TestUserHasBoundedLinksSessionsAndSteps(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		var l link.Link
		for range link.MaxOpen {
			l = addLink(t, s, "demo:asha", link.UntilSaved)
		}
		more := l
		more.ID = id.New("ln")
		if err := s.AddLink(t.Context(), more, []byte(more.ID), audit.Record{}); !errors.Is(err, link.ErrTooMany) {
			t.Errorf("got %v, want ErrTooMany", err)
		}
		mustOpenLink(t, s, addLink(t, s, "demo:ravi", link.Once), "ravi's")
		if _, err := openLinkIn(t, s, l, "ravi's", savedAt); !errors.Is(err, link.ErrSessionTaken) {
			t.Errorf("got %v, want ErrSessionTaken", err)
		}
		for i := range link.MaxSessions {
			mustOpenLink(t, s, l, fmt.Sprint(i))
		}
		if _, err := openLinkIn(t, s, l, "more", savedAt); !errors.Is(err, link.ErrTooManySessions) {
			t.Errorf("got %v, want ErrTooManySessions", err)
		}
		if _, err := openLinkIn(t, s, l, "0", savedAt); err != nil {
			t.Errorf("got %v for a session that is there, want none", err)
		}
		_, u, err := s.LinkBySession(t.Context(), []byte("0"), savedAt)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.AddSteps(t.Context(), u.ID, slices.Repeat([]link.Step{{Name: "token", At: savedAt}}, 20), 50); err != nil {
				t.Fatal(err)
			}
		}
		if _, u, err = s.LinkBySession(t.Context(), []byte("0"), savedAt); err != nil || len(u.Steps) != 50 {
			t.Errorf("got %d steps, %v, want 50", len(u.Steps), err)
		}
	})
}
