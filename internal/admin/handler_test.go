package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/id"
)

// The answers, as far as the tests read them.
type (
	grant struct {
		ID                 string    `json:"id"`
		Subject            string    `json:"subject"`
		State              string    `json:"state"`
		RevokedAt          time.Time `json:"revoked_at"`
		UpstreamValidUntil time.Time `json:"upstream_valid_until"`
		UpstreamNote       string    `json:"upstream_note"`
	}
	grants struct {
		Grants     []grant `json:"grants"`
		NextCursor *string `json:"next_cursor"`
	}
	users struct {
		Users []struct {
			Subject     string    `json:"subject"`
			Blocked     bool      `json:"blocked"`
			LiveTokens  int       `json:"live_tokens"`
			LastTokenAt time.Time `json:"last_token_at"`
			Portfolios  int       `json:"portfolios"`
		} `json:"users"`
		NextCursor *string `json:"next_cursor"`
	}
	block struct {
		Subject string    `json:"subject"`
		Reason  string    `json:"reason"`
		Until   time.Time `json:"until"`
		At      time.Time `json:"at"`
		Actor   string    `json:"actor"`
	}
	change struct {
		Kind    string    `json:"kind"`
		Subject string    `json:"subject"`
		GrantID string    `json:"grant_id"`
		Reason  string    `json:"reason"`
		Until   time.Time `json:"until"`
		At      time.Time `json:"at"`
		Actor   string    `json:"actor"`
	}
	user struct {
		Subject          string   `json:"subject"`
		Block            *block   `json:"block"`
		History          []change `json:"history"`
		Grants           []grant  `json:"grants"`
		GrantsNextCursor *string  `json:"grants_next_cursor"`
		Portfolios       []struct {
			ID       string `json:"id"`
			Holdings int    `json:"holdings"`
			Active   bool   `json:"active"`
			Period   struct {
				To string `json:"to"`
			} `json:"period"`
		} `json:"portfolios"`
		PortfoliosTotal int `json:"portfolios_total"`
		Accounts        []struct {
			ID         string    `json:"id"`
			Kind       string    `json:"kind"`
			Owner      int       `json:"owner"`
			Statements int       `json:"statements"`
			FirstSeen  time.Time `json:"first_seen"`
		} `json:"accounts"`
		AccountsTotal int `json:"accounts_total"`
	}
	changed struct {
		Already            bool      `json:"already"`
		Subject            string    `json:"subject"`
		GrantID            string    `json:"grant_id"`
		Block              *block    `json:"block"`
		UpstreamValidUntil time.Time `json:"upstream_valid_until"`
		UpstreamNote       string    `json:"upstream_note"`
	}
)

func TestSubjectMayContainAnyTextInEveryRoute(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		for _, subject := range []string{
			"app:asha", "app:a/b/c", "app:a b", "app:a+b", "app:100%", "app:%2F", "app:a%2Fb/c", "app:😀", "app:a?b=c&d#e",
			"app:/block", "app:..", "app:é\u202e", "app:'\"\\;--", "verifier:" + strings.Repeat("x", 250) + "/😀é",
		} {
			grantID, until := b.give(t, subject), b.now().Add(time.Hour)
			at := "/users/" + url.PathEscape(subject)
			var result changed
			b.post(t, at+"/block", `{"reason":"stolen phone"}`, &result)
			if result.Already || result.Subject != subject || result.Block == nil || !result.UpstreamValidUntil.Equal(until) {
				t.Errorf("%q: got %+v after blocking", subject, result)
			}
			var u user
			b.get(t, at, &u)
			if u.Subject != subject || u.Block == nil || u.Block.Actor != "ops:meera" || len(u.Grants) != 1 || u.Grants[0].State != "revoked" {
				t.Errorf("%q: got the user %+v", subject, u)
			}
			b.post(t, at+"/unblock", "", &result)
			b.passed.Add(int64(time.Second))
			second := b.give(t, subject)
			b.post(t, at+"/revoke", "{}", &result)
			if result.Already || result.Subject != subject {
				t.Errorf("%q: got %+v after revoking", subject, result)
			}
			query := "?subject=" + url.QueryEscape(subject)
			var list grants
			b.get(t, "/grants"+query, &list)
			if len(list.Grants) != 2 || list.Grants[0].ID != second || list.Grants[1].ID != grantID {
				t.Errorf("%q: got the grants %+v", subject, list)
			}
			var found users
			b.get(t, "/users?limit=1&prefix="+url.QueryEscape(subject), &found)
			if len(found.Users) != 1 || found.Users[0].Subject != subject || found.Users[0].LiveTokens != 0 {
				t.Errorf("%q: got the users %+v", subject, found)
			}
			var trail records
			b.get(t, "/audit"+query+"&action=access.block", &trail)
			if len(trail.Records) != 1 || trail.Records[0].Subject != subject {
				t.Errorf("%q: got the records %+v", subject, trail)
			}
		}
	})
}

func TestUserIsShownWithoutSealedDataAndAmounts(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		portfolioID := b.save(t, "app:asha")
		for range 51 {
			b.give(t, "app:asha")
		}
		var u user
		body := b.get(t, "/users/app:asha", &u).body
		if len(u.Portfolios) != 1 || u.PortfoliosTotal != 1 || u.Portfolios[0].ID != portfolioID || u.Portfolios[0].Holdings != 1 ||
			!u.Portfolios[0].Active || u.Portfolios[0].Period.To != "2026-03-31" || u.Block != nil {
			t.Errorf("got %+v", u)
		}
		if len(u.Accounts) != 1 || u.AccountsTotal != 1 || !id.Is("ac", u.Accounts[0].ID) || u.Accounts[0].Kind != "folio" ||
			u.Accounts[0].Owner != 1 || u.Accounts[0].Statements != 1 || u.Accounts[0].FirstSeen.IsZero() {
			t.Errorf("got the accounts %+v", u.Accounts)
		}
		for _, hidden := range []string{"Asha Example", "AAAPZ9999A", "999A", "123/45", "76543", "Sample"} {
			if strings.Contains(body, hidden) {
				t.Errorf("the answer contains %q", hidden)
			}
		}
		if len(u.Grants) != 50 || u.GrantsNextCursor == nil {
			t.Fatalf("got %d grants and the cursor %v, want 50 and a cursor", len(u.Grants), u.GrantsNextCursor)
		}
		var rest grants
		b.get(t, "/grants?subject=app:asha&cursor="+*u.GrantsNextCursor, &rest)
		if len(rest.Grants) != 1 || rest.NextCursor != nil {
			t.Errorf("got %+v on the second page, want 1 grant", rest)
		}
		var unknown user
		b.get(t, "/users/app:unknown", &unknown)
		if unknown.Subject != "app:unknown" || unknown.Grants == nil || unknown.Portfolios == nil || unknown.Accounts == nil || unknown.History == nil {
			t.Errorf("got %+v for an unknown user, want empty lists", unknown)
		}
	})
}

func TestUsersAndGrantsArePaginated(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	var subjects, ids []string
	for i := range 7 {
		subject := fmt.Sprintf("app:%d", i)
		subjects = append(subjects, subject)
		ids = append(ids, b.give(t, subject))
		b.passed.Add(int64(time.Second))
	}
	b.give(t, "other:1")
	slices.Reverse(ids) // the newest first
	var names, found []string
	for cursor := ""; ; {
		var page users
		b.get(t, "/users?prefix=app:&limit=3&cursor="+cursor, &page)
		for _, u := range page.Users {
			names = append(names, u.Subject)
		}
		if page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	if !slices.Equal(names, subjects) {
		t.Errorf("got the users %q, want %q", names, subjects)
	}
	span := "from=2026-04-01T10:00:00Z&to=" + url.QueryEscape("2026-04-01T15:30:07+05:30")
	for cursor := ""; ; {
		var page grants
		b.get(t, "/grants?limit=2&state=active&"+span+"&cursor="+cursor, &page)
		for _, g := range page.Grants {
			found = append(found, g.ID)
		}
		if page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	if !slices.Equal(found, ids) {
		t.Errorf("got the grants %q, want %q", found, ids)
	}
}

func TestCursorWorksForItsListOnly(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	for _, subject := range []string{"app:asha", "app:rohan"} {
		b.give(t, subject)
	}
	lists := []string{"/users", "/grants", "/audit"}
	for _, list := range lists {
		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		b.get(t, list+"?limit=1", &page)
		for _, other := range lists {
			path := other + "?limit=1&cursor=" + page.NextCursor
			if other != list {
				b.call(t, "meera", http.MethodGet, "/admin/v1"+path, "").failed(t, list+" at "+other, 400, "invalid_cursor")
				continue
			}
			var next map[string]any
			b.get(t, path, &next)
		}
	}
}

func TestRevokedGrantShowsHowLongItWorksAtTheVendor(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		grantID, until := b.give(t, "app:asha"), begin.Add(time.Hour)
		var g grant
		b.get(t, "/grants/"+grantID, &g)
		if g.State != "active" || !g.UpstreamValidUntil.IsZero() || g.UpstreamNote != "" {
			t.Errorf("before: got %+v", g)
		}
		for _, already := range []bool{false, true} {
			var result changed
			b.post(t, "/grants/"+grantID+"/revoke", "", &result)
			if result.Already != already || result.GrantID != grantID || result.Subject != "app:asha" || !result.UpstreamValidUntil.Equal(until) || result.UpstreamNote == "" {
				t.Errorf("already %v: got %+v", already, result)
			}
		}
		b.get(t, "/grants/"+grantID, &g)
		if g.State != "revoked" || !g.RevokedAt.Equal(begin) || !g.UpstreamValidUntil.Equal(until) || g.UpstreamNote == "" {
			t.Errorf("after: got %+v", g)
		}
		b.passed.Store(int64(time.Hour))
		var late grant
		b.get(t, "/grants/"+grantID, &late)
		if late.State != "revoked" || !late.UpstreamValidUntil.IsZero() || late.UpstreamNote != "" {
			t.Errorf("an hour later: got %+v", late)
		}
		for _, unknown := range []string{"gr_01kf0a6v3m9t2w8x4y5z7b1c2d", "gr_1", "%00", "a%2Fb", "%FF"} {
			b.call(t, "meera", http.MethodGet, "/admin/v1/grants/"+unknown, "").failed(t, unknown, 404, "grant_not_found")
			b.call(t, "meera", http.MethodPost, "/admin/v1/grants/"+unknown+"/revoke", "").failed(t, unknown, 404, "grant_not_found")
		}
	})
}

func TestBlockFollowsRequestBody(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	later := begin.Add(24 * time.Hour)
	for name, c := range map[string]struct {
		body, reason string
		until        time.Time
	}{
		"no body":                  {"", "", time.Time{}},
		"empty object":             {"{}", "", time.Time{}},
		"a reason":                 {`{"reason":"asked for it 😀"}`, "asked for it 😀", time.Time{}},
		"end":                      {`{"until":"2026-04-02T10:00:00Z"}`, "", later},
		"end in another time zone": {`{"until":"2026-04-02T15:30:00+05:30","reason":""}`, "", later},
		"nulls":                    {`{"until":null,"reason":null}`, "", time.Time{}},
	} {
		var result changed
		b.post(t, "/users/"+url.PathEscape("app:"+name)+"/block", c.body, &result)
		if result.Block == nil || result.Block.Reason != c.reason || !result.Block.Until.Equal(c.until) {
			t.Errorf("%s: got %+v", name, result.Block)
		}
	}
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"past":                {`{"until":"2026-04-01T09:59:59Z"}`, 422, "invalid_until"},
		"now":                 {`{"until":"2026-04-01T10:00:00Z"}`, 422, "invalid_until"},
		"zero time":           {`{"until":"0001-01-01T00:00:00Z"}`, 422, "invalid_until"},
		"after the last year": {`{"until":"9999-12-31T23:59:59-01:00"}`, 422, "invalid_until"},
		"not a time":          {`{"until":"tomorrow"}`, 422, "invalid_until"},
		"number":              {`{"until":1775037600}`, 422, "invalid_until"},
		"long reason":         {`{"reason":"` + strings.Repeat("é", 251) + `"}`, 422, "invalid_reason"},
		"zero byte":           {`{"reason":"a\u0000b"}`, 422, "invalid_reason"},
		"list as reason":      {`{"reason":[]}`, 400, "invalid_json"},
		"half an object":      {`{"reason":"`, 400, "invalid_json"},
		"two objects":         {`{}{}`, 400, "invalid_json"},
		"null":                {` null`, 400, "invalid_json"},
		"spaces":              {`  `, 400, "invalid_json"},
		"list":                {`[]`, 400, "invalid_json"},
		"duplicate member":    {`{"reason":"a","reason":"b"}`, 400, "invalid_json"},
		"member in capitals":  {`{"Reason":"a"}`, 400, "invalid_json"},
		"unknown member":      {`{"reasons":"a"}`, 400, "invalid_json"},
		"invalid UTF-8":       {"{\"reason\":\"\xff\"}", 400, "invalid_json"},
		"too large":           {`{"reason":"` + strings.Repeat("a", 5000) + `"}`, 413, "body_too_large"},
	} {
		b.call(t, "meera", http.MethodPost, "/admin/v1/users/app:rohan/block", c.body).failed(t, name, c.status, c.code)
	}
	b.call(t, "meera", http.MethodPost, "/admin/v1/users/app:rohan/block", "{}", "Content-Type", "text/plain").
		failed(t, "other media type", 415, "unsupported_media_type")
	for _, subject := range []string{"a%00b", "%FF", strings.Repeat("x", 290)} {
		for _, act := range []string{"block", "unblock", "revoke"} {
			b.call(t, "meera", http.MethodPost, "/admin/v1/users/"+subject+"/"+act, "").failed(t, subject+" "+act, 422, "invalid_subject")
		}
		b.call(t, "meera", http.MethodGet, "/admin/v1/users/"+subject, "").failed(t, subject, 422, "invalid_subject")
	}
	var u user
	if b.get(t, "/users/app:rohan", &u); u.Block != nil {
		t.Errorf("rohan was blocked: %+v", u.Block)
	}
}

func TestRouteWithoutBodyRefusesMembers(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	grantID := b.give(t, "app:asha")
	for _, path := range []string{"/users/app:asha/unblock", "/users/app:asha/revoke", "/grants/" + grantID + "/revoke"} {
		b.call(t, "meera", http.MethodPost, "/admin/v1"+path, `{"grant_id":"gr_1"}`).failed(t, path, 400, "invalid_json")
	}
	var g grant
	if b.get(t, "/grants/"+grantID, &g); g.State != "active" {
		t.Errorf("got the state %s, want active", g.State)
	}
}

func TestRevokeAllNeedsConfirmation(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		b.give(t, "app:asha")
		b.give(t, "app:rohan")
		for _, body := range []string{"", "{}", `{"confirm":"Revoke everything"}`, `{"confirm":""}`} {
			b.call(t, "meera", http.MethodPost, "/admin/v1/revoke-all", body).failed(t, body, 422, "not_confirmed")
		}
		b.call(t, "meera", http.MethodPost, "/admin/v1/revoke-all", `{"confirm":true}`).failed(t, "true", 400, "invalid_json")
		for _, already := range []bool{false, true} {
			var result changed
			b.post(t, "/revoke-all", `{"confirm":"revoke everything"}`, &result)
			if result.Already != already || result.Subject != "" || result.UpstreamValidUntil.IsZero() {
				t.Errorf("already %v: got %+v", already, result)
			}
		}
		var left grants
		if b.get(t, "/grants?state=active", &left); len(left.Grants) != 0 {
			t.Errorf("%d active tokens are left", len(left.Grants))
		}
	})
}

func TestListsAreEmptyArraysWhenNothingMatches(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	for path, want := range map[string]string{
		"/grants": `{"grants":[],"next_cursor":null}`, "/users?prefix=": `{"users":[],"next_cursor":null}`,
		"/audit?action=portfolio.expire": `{"records":[],"next_cursor":null}`,
	} {
		if r := b.get(t, path, &struct{}{}); strings.TrimSpace(r.body) != want {
			t.Errorf("%s: got %s", path, r.body)
		}
	}
}
