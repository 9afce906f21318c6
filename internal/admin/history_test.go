package admin_test

import (
	"slices"
	"testing"
	"time"
)

func TestUserIsShownWithHistoryOfBlocksAndRevocations(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		grantID, until := b.give(t, "app:asha"), begin.Add(time.Hour)
		b.post(t, "/users/app:asha/block", `{"reason":"stolen phone","until":"2026-04-01T11:00:00Z"}`, &changed{})
		b.passed.Store(int64(time.Minute))
		b.post(t, "/users/app:asha/unblock", "", &changed{})
		second := b.give(t, "app:asha")
		b.post(t, "/grants/"+second+"/revoke", "", &changed{})
		b.post(t, "/revoke-all", `{"confirm":"revoke everything"}`, &changed{})
		var u user
		b.get(t, "/users/app:asha", &u)
		const who = "ops:meera"
		later := begin.Add(time.Minute)
		want := []change{
			{Kind: "revoke_all", At: later, Actor: who},
			{Kind: "revoke_grant", Subject: "app:asha", GrantID: second, At: later, Actor: who},
			{Kind: "unblock", Subject: "app:asha", At: later, Actor: who},
			{Kind: "block", Subject: "app:asha", Reason: "stolen phone", Until: until, At: begin, Actor: who},
		}
		if u.Block != nil || !slices.Equal(u.History, want) || len(u.Grants) != 2 || u.Grants[1].ID != grantID {
			t.Errorf("got %+v", u)
		}
		for range 25 {
			b.post(t, "/users/app:asha/revoke", "", &changed{})
		}
		if b.get(t, "/users/app:asha", &u); len(u.History) != 20 || u.History[19].Kind != "revoke_user" {
			t.Errorf("got %d changes, want 20: %+v", len(u.History), u.History)
		}
		var trail records
		if b.get(t, "/audit?action=access.block", &trail); len(trail.Records) != 1 || trail.Records[0].Detail != "until=2026-04-01T11:00:00Z" {
			t.Errorf("got the records %+v", trail)
		}
	})
}
