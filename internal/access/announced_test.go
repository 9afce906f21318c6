package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/testkit/storetest"
)

// cutOff returns a replica that changes access, and another one that has lost the database and
// still receives messages.
func cutOff(t *testing.T, c *clock) (maker, other *replica, messages *localPubSub) {
	t.Helper()
	db := storetest.New(t)
	messages = &localPubSub{receivers: map[int]func(string){}}
	maker, other = newReplica(db, c, messages, time.Hour), newReplica(db, c, messages, time.Hour)
	maker.refresh(t)
	other.refresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		other.view.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	await(t, "the subscription", func() bool {
		messages.mu.Lock()
		defer messages.mu.Unlock()
		return len(messages.receivers) == 1
	})
	other.db.down.Store(true)
	return maker, other, messages
}

func wantAdmit(t *testing.T, r *replica, subject string, want error) {
	t.Helper()
	if _, err := r.view.Admit(subject); !errors.Is(err, want) {
		t.Errorf("Admit of %s: got %v, want %v", subject, err, want)
	}
}

func TestReplicaWithoutDatabaseAdmitsNoUserWhoseRevocationWasAnnounced(t *testing.T) {
	t.Parallel()
	c := &clock{}
	maker, other, _ := cutOff(t, c)
	if _, err := maker.RevokeUser(t.Context(), operator, asha); err != nil {
		t.Fatal(err)
	}
	c.advance(501 * time.Millisecond) // far from MaxAge
	wantAdmit(t, other, asha, access.ErrStale)
	wantAdmit(t, other, rohan, nil)
	wantAdmit(t, maker, asha, nil)
	if err := other.view.Ready(t.Context()); err != nil {
		t.Errorf("Ready while other users are admitted: %v", err)
	}
	other.db.down.Store(false)
	other.refresh(t)
	wantAdmit(t, other, asha, nil)
}

func TestReplicaWithoutDatabaseAdmitsNoUserAfterARevocationOfAllWasAnnounced(t *testing.T) {
	t.Parallel()
	c := &clock{}
	maker, other, _ := cutOff(t, c)
	if _, err := maker.RevokeAll(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	c.advance(501 * time.Millisecond)
	wantAdmit(t, other, rohan, access.ErrStale)
	if err := other.view.Ready(t.Context()); !errors.Is(err, access.ErrStale) {
		t.Errorf("Ready: got %v, want ErrStale", err)
	}
	other.db.down.Store(false)
	other.refresh(t)
	wantAdmit(t, other, rohan, nil)
}

func TestMessageOfAnEarlierReleaseConcernsAllUsers(t *testing.T) {
	t.Parallel()
	c := &clock{}
	_, other, messages := cutOff(t, c)
	for _, known := range []string{"", "0", "0 *", "nonsense"} {
		_ = messages.Publish(t.Context(), "", known)
	}
	c.advance(501 * time.Millisecond)
	wantAdmit(t, other, asha, nil)
	_ = messages.Publish(t.Context(), "", "1")
	c.advance(501 * time.Millisecond)
	wantAdmit(t, other, asha, access.ErrStale)
}

func TestManyAnnouncedChangesConcernAllUsers(t *testing.T) {
	t.Parallel()
	c := &clock{}
	_, other, messages := cutOff(t, c)
	for i := range 10_001 {
		_ = messages.Publish(t.Context(), "", fmt.Sprintf("%d APP:%d", i+1, i))
	}
	c.advance(501 * time.Millisecond)
	wantAdmit(t, other, rohan, access.ErrStale)
}

func TestMessageNamesTheUserByAHash(t *testing.T) {
	t.Parallel()
	c := &clock{}
	maker, _, messages := cutOff(t, c)
	var got []string
	messages.mu.Lock()
	messages.receivers[1] = func(m string) { got = append(got, m) }
	messages.mu.Unlock()
	for _, err := range []error{
		errorOf(maker.RevokeUser(t.Context(), operator, asha)),
		errorOf(maker.RevokeAll(t.Context(), operator)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := "1 APP:ASHA|2 *"; strings.Join(got, "|") != want {
		t.Errorf("messages: got %q, want %q", strings.Join(got, "|"), want)
	}
}
