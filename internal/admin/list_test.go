package admin_test

import (
	"slices"
	"testing"
)

func TestUsersCanBeFilteredByBlocked(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	for _, subject := range []string{"app:asha", "app:rohan", "app:zoya", "other:meera"} {
		b.give(t, subject)
		if subject != "app:rohan" {
			b.post(t, "/users/"+subject+"/block", "{}", &changed{})
		}
	}
	list := func(query string) (names []string) {
		for cursor := ""; ; {
			var page users
			b.get(t, "/users?limit=1&"+query+"&cursor="+cursor, &page)
			for _, u := range page.Users {
				names = append(names, u.Subject)
			}
			if page.NextCursor == nil {
				return names
			}
			cursor = *page.NextCursor
		}
	}
	for query, want := range map[string][]string{
		"blocked=true":                  {"app:asha", "app:zoya", "other:meera"},
		"blocked=true&prefix=app:":      {"app:asha", "app:zoya"},
		"blocked=true&prefix=app:rohan": nil,
		"blocked=false&prefix=app:":     {"app:asha", "app:rohan", "app:zoya"},
	} {
		if names := list(query); !slices.Equal(names, want) {
			t.Errorf("%s: got %q, want %q", query, names, want)
		}
	}
	b.post(t, "/users/app:zoya/unblock", "{}", &changed{})
	if names := list("blocked=true&prefix=app:"); !slices.Equal(names, []string{"app:asha"}) {
		t.Errorf("after unblocking: got %q", names)
	}
}

func TestAuditRecordsOfOneRequestAreFound(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	type records struct {
		Records []struct {
			Action    string `json:"action"`
			RequestID string `json:"request_id"`
		} `json:"records"`
	}
	var all, found records
	b.post(t, "/users/app:asha/block", "{}", &changed{})
	b.post(t, "/users/app:ravi/block", "{}", &changed{})
	b.get(t, "/audit?action=access.block", &all)
	if len(all.Records) != 2 {
		t.Fatalf("got %+v", all)
	}
	b.get(t, "/audit?request_id="+all.Records[0].RequestID, &found)
	if len(found.Records) != 1 || found.Records[0] != all.Records[0] {
		t.Errorf("got %+v, want %+v alone", found, all.Records[0])
	}
}

func TestAuditFilterWithoutExcludesAnAction(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	b.give(t, "app:asha")
	b.get(t, "/users/app:asha", &user{})
	b.post(t, "/users/app:asha/block", "{}", &changed{})
	for query, want := range map[string][]string{
		"without=admin.read":                      {"access.block", "token.mint"},
		"without=access.block":                    {"admin.read", "token.mint"},
		"without=admin.read&action=token.mint":    {"token.mint"},
		"without=admin.read&action=admin.read":    nil,
		"without=token.mint&action=access.revoke": nil,
	} {
		var page struct {
			Records []struct {
				Action string `json:"action"`
			} `json:"records"`
		}
		b.get(t, "/audit?subject=app:asha&"+query, &page)
		var found []string
		for _, r := range page.Records {
			found = append(found, r.Action)
		}
		found = slices.Compact(found) // each of these reads adds one
		if !slices.Equal(found, want) {
			t.Errorf("%s: got %q, want %q", query, found, want)
		}
	}
}
