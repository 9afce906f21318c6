package store_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/gateway"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

const mailboxToken = "it_the-vendors-token-of-a-mailbox"

// begin begins a connection of demo:asha that expires an hour after savedAt.
func begin(t *testing.T, s *store.DB, state string) gateway.Connection {
	t.Helper()
	c := gateway.Connection{
		Subject: "demo:asha", RedirectURI: "https://app.example/import?step=2", State: "of the page", KeyName: "second", ExpiresAt: savedAt.Add(time.Hour),
	}
	if err := s.BeginConnection(t.Context(), state, c, savedAt); err != nil {
		t.Fatal(err)
	}
	return c
}

// connect connects a mailbox of demo:asha.
func connect(t *testing.T, s *store.DB, state, handle string) {
	t.Helper()
	want := begin(t, s, state)
	if got, err := s.EndConnection(t.Context(), state, handle, mailboxToken, savedAt); err != nil || got != want {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestMailboxIsReadBackUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		connect(t, s, "state", "handle")
		if m, err := s.Mailbox(t.Context(), "handle"); err != nil || m.Subject != "demo:asha" || m.Token != mailboxToken || m.KeyName != "second" {
			t.Errorf("got %+v, %v", m, err)
		}
		for _, handle := range []string{"other", "handle", "handle"} {
			r := audit.New(t.Context(), savedAt, "demo:asha", audit.MailboxDisconnect, "demo:asha", "")
			if err := s.DeleteMailbox(t.Context(), handle, r); err != nil {
				t.Error(err)
			}
		}
		trail, err := s.Trail(t.Context(), "demo:asha", audit.Record{}, all)
		if err != nil || len(trail) != 2 || trail[0].Action != audit.MailboxConnect || trail[0].Actor != "demo:asha" || trail[1].Action != audit.MailboxDisconnect {
			t.Errorf("trail %+v, %v", trail, err)
		}
		for _, handle := range []string{"handle", "other", ""} {
			if m, err := s.Mailbox(t.Context(), handle); err != nil || m != (gateway.ConnectedMailbox{}) {
				t.Errorf("%q: got %+v, %v", handle, m, err)
			}
		}
	})
}

func TestConnectionEndsOnceAndInTime(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		end := func(state string, at time.Time) error {
			_, err := s.EndConnection(t.Context(), state, "", "", at)
			return err
		}
		begin(t, s, "refused")
		if err := end("refused", savedAt); err != nil {
			t.Error(err)
		}
		begin(t, s, "late")
		if err := end("late", savedAt.Add(time.Hour)); !errors.Is(err, gateway.ErrNoConnection) {
			t.Errorf("an expired connection: got %v", err)
		}
		for _, state := range []string{"refused", "never begun", ""} {
			if err := end(state, savedAt); !errors.Is(err, gateway.ErrNoConnection) {
				t.Errorf("%q: got %v", state, err)
			}
		}
		begin(t, s, "raced")
		var ended atomic.Int32
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				_, err := s.EndConnection(t.Context(), "raced", "handle", mailboxToken, savedAt)
				switch {
				case err == nil:
					ended.Add(1)
				case !errors.Is(err, gateway.ErrNoConnection):
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if n := ended.Load(); n != 1 {
			t.Errorf("%d callers ended one connection", n)
		}
	})
}

func TestNewConnectionsReplaceExpiredOnes(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		begin(t, s, "one")
		begin(t, s, "two")
		c := gateway.Connection{Subject: "demo:ravi", ExpiresAt: savedAt.Add(2 * time.Hour)}
		if err := s.BeginConnection(t.Context(), "three", c, savedAt.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := rows("mailbox_connections"); n != 1 {
			t.Errorf("%d connections are stored, want 1", n)
		}
	})
}

func TestDatabaseFileHasNoTokensAndHandles(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	s := storetest.Open(t, url, storetest.NewBox(t))
	connect(t, s, "the-state-of-a-connection", "ibt_the-handle-of-a-page")
	begin(t, s, "the-state-of-another")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{mailboxToken, "the-state-of-", "ibt_the-handle", "app.example", "of the page"} {
		if bytes.Contains(b, []byte(text)) {
			t.Errorf("the file has %q", text)
		}
	}
}
