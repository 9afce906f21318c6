package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestNothingOfAnotherUserIsFound tries every call that names something of a user as
// another, who knows all ids.
func TestNothingOfAnotherUserIsFound(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	allFeatures(&settings)
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	asha, rohan := b.page(t, "asha"), b.page(t, "rohan")
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
	var saved struct {
		ID string `json:"id"`
	}
	within(t, 10*time.Second, "the statement is saved", func() bool {
		a := b.call(t, "asha", http.MethodGet, "/v1/portfolios/latest", "")
		if a.status == 200 {
			a.decode(t, &saved)
		}
		return a.status == 200
	})
	var session struct {
		ID string `json:"session_id"`
	}
	asha.call(t, "POST", "/v4/cdsl/fetch", `{"pan":"ABCDE1234F","bo_id":"1234567890123456","dob":"1990-01-31"}`).must(t, 200).decode(t, &session)
	address := asha.createAddress(t)
	handle := redirected(t, asha.connect(t, "https://app.example/", "").String()).Query().Get("inbox_token")
	if saved.ID == "" || session.ID == "" || address.ID == "" || handle == "" {
		t.Fatalf("got %q, %q, %q, %q", saved.ID, session.ID, address.ID, handle)
	}

	folder := "/v1/portfolios/" + saved.ID
	for _, c := range [][2]string{
		{"GET", folder}, {"GET", folder + "/holdings"}, {"GET", folder + "/transactions"}, {"GET", folder + "/changes"}, {"GET", folder + "/raw"},
		{"DELETE", folder}, {"GET", "/v1/portfolios/latest"}, {"GET", "/v1/grants/" + g.GrantID},
	} {
		if a := b.call(t, "rohan", c[0], c[1], "").must(t, 404); strings.Contains(a.body, "asha") || strings.Contains(a.body, "Asha") {
			t.Errorf("%s: got %s", c, a.body)
		}
	}
	b.call(t, "rohan", http.MethodPost, "/v1/token/revoke", `{"grant_id":"`+g.GrantID+`"}`).must(t, 404)
	for _, path := range []string{"/v1/portfolios", "/v1/me/export"} {
		if a := b.call(t, "rohan", http.MethodGet, path, "").must(t, 200); strings.Contains(a.body, saved.ID) || strings.Contains(a.body, g.GrantID) ||
			strings.Contains(a.body, address.ID) {
			t.Errorf("%s has what is asha's: %s", path, a.body)
		}
	}
	paths := []string{"/v4/cdsl/fetch/" + session.ID + "/verify", "/v4/inbound-email/" + address.ID, "/v4/inbound-email/" + address.ID + "/files"}
	before := vendor.Calls(paths[0]) + vendor.Calls(paths[1])
	rohan.call(t, "POST", paths[0], `{"otp":"123456"}`).mustFail(t, 404, "NOT_FOUND")
	for _, c := range [][2]string{{"GET", paths[1]}, {"DELETE", paths[1]}, {"GET", paths[2]}, {"GET", paths[2] + "?since=2026-01-01T00:00:00.000000Z&limit=50"}} {
		rohan.call(t, c[0], c[1], "").mustFail(t, 404, "NOT_FOUND")
	}
	if a := rohan.call(t, "GET", "/v4/inbound-email", "").must(t, 200); strings.Contains(a.body, address.ID) {
		t.Errorf("got %s", a.body)
	}
	for _, path := range inboxCalls {
		rohan.call(t, "POST", path, "{}", "X-Inbox-Token", handle).mustFail(t, 401, "INBOX_NOT_CONNECTED")
	}
	if after := vendor.Calls(paths[0]) + vendor.Calls(paths[1]); after != before {
		t.Errorf("the vendor got %d calls for another user", after-before)
	}
	// All is still asha's.
	asha.call(t, "POST", "/v4/inbox/status", "{}", "X-Inbox-Token", handle).must(t, 200)
	asha.call(t, "GET", paths[1], "").must(t, 200)
	b.call(t, "asha", http.MethodGet, folder, "").must(t, 200)
	b.call(t, "asha", http.MethodGet, "/v1/grants/"+g.GrantID, "").must(t, 200)
}
