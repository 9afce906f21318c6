package webhook_test

import (
	"slices"
	"testing"
	"time"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/webhook"
)

func TestServiceSeesEventsOfItsAppsAndThoseWithoutAUser(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		happen(t, db, 2, 2) // of app
		if err := db.AddKeySetAside(t.Context(), "main", "refused", started); err != nil {
			t.Fatal(err)
		}
		if _, err := db.NumberEvents(t.Context(), started, 100); err != nil {
			t.Fatal(err)
		}
		feed := &webhook.Feed{Store: db, Now: time.Now}
		for app, want := range map[string]int{"app": 5, "shop": 1} {
			page, err := feed.List(t.Context(), webhook.Query{Limit: 2, Apps: []string{app}})
			n := len(page.Events)
			for err == nil && len(page.Events) > 0 {
				page, err = feed.List(t.Context(), webhook.Query{After: page.Next, Limit: 2, Apps: []string{app}})
				n += len(page.Events)
			}
			if err != nil || n != want {
				t.Errorf("%s: got %d events, %v, want %d", app, n, err, want)
			}
		}
		all, err := feed.List(t.Context(), webhook.Query{Limit: 10, Apps: []string{"app"}})
		ascending := slices.IsSortedFunc(all.Events, func(a, b webhook.Event) int { return int(a.Seq - b.Seq) })
		if err != nil || !ascending || len(all.Events) != 5 {
			t.Errorf("got %+v, %v, want them in their order", all, err)
		}
	})
}
