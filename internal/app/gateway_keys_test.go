package app_test

import (
	"net/url"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
)

// TestWhatOneKeyHasMadeIsUsedWithThatKey checks that calls about a resource do not go to the
// account of another key, which does not have it.
func TestWhatOneKeyHasMadeIsUsedWithThatKey(t *testing.T) {
	t.Parallel()
	const other = "live-key-of-another-account"
	settings, _ := settingsWith(t, sqlite(t), "memory", sandbox.Options{Accounts: []sandbox.Account{{APIKey: other, Credits: 100}}})
	allFeatures(&settings)
	settings.Inbound.Path = ""
	settings.Upstream.Keys = []config.UpstreamKey{
		{Name: "one", APIKey: apiKey, Weight: 1}, {Name: "two", APIKey: secret.Text(other), Weight: 1},
	}
	b := start(t, settings)
	asha := b.page(t, "asha")
	var made []address
	for range 4 { // two of each account
		made = append(made, asha.createAddress(t))
		asha.call(t, "POST", "/v4/generate", "{}") // so that the keys do not alternate with the addresses
		asha.call(t, "GET", "/v4/inbound-email/"+made[0].ID, "").must(t, 200)
	}
	if got := asha.list(t, ""); got.Total != len(made) {
		t.Errorf("got %d addresses of %d", got.Total, len(made))
	}
	for _, a := range made {
		for range 2 {
			asha.call(t, "GET", "/v4/inbound-email/"+a.ID, "").must(t, 200)
		}
		asha.call(t, "DELETE", "/v4/inbound-email/"+a.ID, "").must(t, 200)
	}
	for range 3 {
		var session struct {
			ID string `json:"session_id"`
		}
		asha.call(t, "POST", "/v4/cdsl/fetch", `{"pan":"ABCDE1234F","bo_id":"1234567890123456","dob":"1990-01-31"}`).must(t, 200).decode(t, &session)
		for range 2 {
			asha.call(t, "POST", "/v4/cdsl/fetch/"+session.ID+"/verify", `{"otp":"000000"}`).mustFail(t, 400, "")
		}
		asha.call(t, "POST", "/v4/cdsl/fetch/"+session.ID+"/verify", `{"otp":"`+sandbox.OTP+`"}`).must(t, 200)

		back := asha.connect(t, "https://app.example/back", "")
		at, err := url.Parse(redirected(t, back.String()).String())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			asha.call(t, "POST", "/v4/inbox/status", "{}", "X-Inbox-Token", at.Query().Get("inbox_token")).must(t, 200)
		}
	}
}
