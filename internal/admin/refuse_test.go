package admin_test

import (
	"net/http"
	"strings"
	"testing"
)

// reads are the routes that only read.
var reads = []string{
	"/grants", "/grants/gr_01kf0a6v3m9t2w8x4y5z7b1c2d", "/users", "/users/app:asha", "/audit", "/audit/export", "/stats",
	"/overview", "/credits", "/settings",
}

// changes are the routes that change something.
var changes = []string{
	"/grants/gr_01kf0a6v3m9t2w8x4y5z7b1c2d/revoke", "/users/app:asha/block", "/users/app:asha/unblock",
	"/users/app:asha/revoke", "/revoke-all",
}

func TestOnlyAdminsAreAllowed(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	b.give(t, "app:asha")
	for who, want := range map[string]struct {
		status int
		code   string
	}{"": {401, "unauthenticated"}, "asha": {403, "forbidden"}, "robot": {403, "forbidden"}} {
		for _, path := range reads {
			r := b.call(t, who, http.MethodGet, "/admin/v1"+path, "")
			r.failed(t, who+" "+path, want.status, want.code)
			if r.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the answer may be cached", path)
			}
		}
		for _, path := range changes {
			b.call(t, who, http.MethodPost, "/admin/v1"+path, `{"confirm":"revoke everything"}`).failed(t, who+" "+path, want.status, want.code)
		}
	}
	var left grants
	if b.get(t, "/grants?state=active", &left); len(left.Grants) != 1 {
		t.Errorf("%d active tokens are left", len(left.Grants))
	}
}

func TestInvalidQueryIsRefused(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		for path, code := range map[string]string{
			"/grants?state=dead":                           "invalid_state",
			"/grants?limit=0":                              "invalid_limit",
			"/grants?limit=201":                            "invalid_limit",
			"/grants?limit=ten":                            "invalid_limit",
			"/grants?limit=99999999999999999999":           "invalid_limit",
			"/grants?cursor=zzz":                           "invalid_cursor",
			"/grants?cursor=MTIz":                          "invalid_cursor",
			"/grants?from=yesterday":                       "invalid_time",
			"/grants?to=2026-04-01":                        "invalid_time",
			"/grants?to=2026-04-01T10:00:00+05:30":         "invalid_time",
			"/grants?subject=a%00b":                        "invalid_query",
			"/grants?subject=%FF":                          "invalid_query",
			"/grants?subject=a&subject=b":                  "invalid_query",
			"/grants?Subject=a":                            "invalid_query",
			"/grants?subject=%":                            "invalid_query",
			"/grants?a;b":                                  "invalid_query",
			"/grants/gr_01kf0a6v3m9t2w8x4y5z7b1c2d?full=1": "invalid_query",
			"/users?prefix=%00":                            "invalid_query",
			"/users?prefix=%C3":                            "invalid_query",
			"/users?cursor=%":                              "invalid_query",
			"/users?cursor=a":                              "invalid_cursor",
			"/users?cursor=AAA":                            "invalid_cursor", // two zero bytes
			"/users?cursor=dSAA":                           "invalid_cursor", // a subject that is a zero byte
			"/users?cursor=dSA":                            "invalid_cursor", // no subject
			"/users?cursor=YXBwOmFzaGE":                    "invalid_cursor", // app:asha without the prefix of a list
			"/users?limit=201":                             "invalid_limit",
			"/users?blocked=":                              "invalid_query",
			"/users?blocked=1":                             "invalid_query",
			"/users?blocked=True":                          "invalid_query",
			"/users?blocked=true&blocked=true":             "invalid_query",
			"/users?q=asha":                                "invalid_query",
			"/users/app:asha?x":                            "invalid_query",
			"/audit?limit=1001":                            "invalid_limit",
			"/audit?cursor=x":                              "invalid_cursor",
			"/audit?outcome=good":                          "invalid_outcome",
			"/audit?outcome=failed":                        "invalid_outcome",
			"/audit?actor=%00":                             "invalid_query",
			"/audit?action=%FF":                            "invalid_action",
			"/audit?action=none":                           "invalid_action",
			"/audit?without=reads":                         "invalid_action",
			"/audit/export?without=reads":                  "invalid_action",
			"/audit?subject=at_0123456789":                 "invalid_query", // it would be audited
			"/grants?subject=asha":                         "invalid_query",
			"/audit?from=1":                                "invalid_time",
			"/audit?format=csv":                            "invalid_query",
			"/audit/export?format=xml":                     "invalid_format",
			"/audit/export?subject=%00":                    "invalid_query",
			"/audit/export?limit=1":                        "invalid_query",
			"/audit/export?outcome=good":                   "invalid_outcome",
			"/stats?step=week":                             "invalid_step",
			"/stats?from=2026-04-02T00:00:00Z&to=2026-04-01T00:00:00Z": "invalid_range",
			"/stats?to=0001-01-01T00:00:00Z":                           "invalid_time",
			"/grants?subject=app:" + strings.Repeat("x", 2000):         "invalid_query",
			"/users?prefix=" + strings.Repeat("x", 2000):               "invalid_query",
			"/overview?x=1":           "invalid_query",
			"/credits?fresh=true":     "invalid_query",
			"/settings?key=log.level": "invalid_query",
		} {
			b.call(t, "meera", http.MethodGet, "/admin/v1"+path, "").failed(t, path, 400, code)
		}
		for _, path := range changes {
			b.call(t, "meera", http.MethodPost, "/admin/v1"+path+"?dry=1", "").failed(t, path, 400, "invalid_query")
		}
	})
}
