package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBlockFormIsFilledWithCurrentBlock(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	const form = "/console/users/app:asha/block"
	b.post(form, "for", "until", "until", "2026-04-02T10:30:15.25", "reason", "Her phone was stolen.")
	expect(t, b.get(form), http.StatusOK, "Change the block of", ">Change the block</button>", `value="2026-04-02T10:30:15.25"`,
		`value="until" checked`, "Her phone was stolen.</textarea>")
	b.post(form, "for", "until", "until", "2026-04-02T10:30:15.25", "reason", "Her phone was stolen.")
	expect(t, b.get("/console/users/app:asha"), http.StatusOK, "was already blocked like this")
	expect(t, b.get("/console/users/app:asha/unblock"), http.StatusOK, "The block would end at <time datetime=\"2026-04-02T10:30:15Z\">")
	if a := b.post(form, "for", "lifted", "until", "2026-04-02T10:30:15.25", "reason", "x"); a.status != http.StatusSeeOther {
		t.Errorf("the value of the form was refused: %d", a.status)
	}
	expect(t, b.get(form), http.StatusOK, `value="lifted" checked`, ">x</textarea>")
	expect(t, b.get("/console/users/app:asha/unblock"), http.StatusOK, "The user is blocked until unblocked", `class="primary" data-testid="confirm"`)
}

func TestConfirmationSaysHowLongRevokedTokensWorkAtTheVendor(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	grant := o.give("app:asha", 10*time.Minute)
	b := o.signedIn()
	b.post("/console/users/app:asha/revoke")
	paths := []string{"/console/users/app:asha/block", "/console/users/app:asha/revoke", "/console/grants/" + grant + "/revoke", "/console/revoke-all"}
	for _, path := range paths {
		expect(t, b.get(path), http.StatusOK, `data-testid="vendor-limit"`, "2026-04-01 11:20:00 UTC")
	}
	o.clock.advance(50 * time.Minute)
	b = o.signedIn()
	for _, path := range paths {
		if a := b.get(path); a.status != http.StatusOK || strings.Contains(a.body, `data-testid="vendor-limit"`) {
			t.Errorf("%s: got %d, or a limitation after the token has expired at the vendor", path, a.status)
		}
	}
}

func TestConfirmButtonShowsWhetherTheActionIsDangerous(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	grant := o.give("app:asha", 10*time.Minute)
	b := o.signedIn()
	const danger, plain = `<button class="danger" data-testid="confirm">`, `<button data-testid="confirm">`
	expect(t, b.get("/console/users/app:asha/revoke"), http.StatusOK, danger, `aria-current="page" data-testid="nav-users"`, "block the user</a> instead")
	expect(t, b.get("/console/grants/"+grant+"/revoke"), http.StatusOK, danger, `aria-current="page" data-testid="nav-grants"`)
	expect(t, b.get("/console/users/app:asha/unblock"), http.StatusOK, plain, "nothing will change")
	b.post("/console/users/app:asha/block", "for", "lifted")
	for _, path := range []string{"/console/users/app:asha/revoke", "/console/grants/" + grant + "/revoke", "/console/revoke-all"} {
		a := b.get(path)
		expect(t, a, http.StatusOK, plain)
		if strings.Contains(a.body, "instead") {
			t.Errorf("%s: suggests to block a blocked user", path)
		}
	}
}

func TestUserIDThatEndsWithSpaceIsFound(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:asha ", time.Minute)
	b := o.signedIn()
	if a := b.get("/console/users?q=app:asha+"); strings.Contains(a.body, `data-testid="absent"`) {
		t.Error("the user is not found")
	}
	for path, row := range map[string]string{"grants": "grant-row", "audit": "record"} {
		expect(t, b.get("/console/"+path+"?subject=app:asha+"), http.StatusOK, `data-testid="`+row+`"`)
	}
}

func TestBlockWithDurationEndsAtFullMinute(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	o.clock.advance(1500 * time.Millisecond)
	b.post("/console/users/app:asha/block", "for", "1h")
	expect(t, b.get("/console/users/app:asha/block"), http.StatusOK, `value="2026-04-01T11:31"`)
}
