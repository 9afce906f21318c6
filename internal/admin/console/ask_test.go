package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestABlockInForceIsChangedFromWhatItIs(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	b := o.signedIn()
	const form = "/console/users/app:asha/block"
	b.post(form, "for", "until", "until", "2026-04-02T10:30:15.25", "reason", "Her phone was stolen.")
	says(t, b.get(form), http.StatusOK, "Change the block of", ">Change the block</button>", `value="2026-04-02T10:30:15.25"`,
		`value="until" checked`, "Her phone was stolen.</textarea>")
	b.post(form, "for", "until", "until", "2026-04-02T10:30:15.25", "reason", "Her phone was stolen.")
	says(t, b.get("/console/users/app:asha"), http.StatusOK, "was blocked like this already")
	says(t, b.get("/console/users/app:asha/unblock"), http.StatusOK, "The block would end by itself at <time datetime=\"2026-04-02T10:30:15Z\">")
	if a := b.post(form, "for", "lifted", "until", "2026-04-02T10:30:15.25", "reason", "x"); a.status != http.StatusSeeOther {
		t.Errorf("what the form was filled with stands in the way: %d", a.status)
	}
	says(t, b.get(form), http.StatusOK, `value="lifted" checked`, ">x</textarea>")
	says(t, b.get("/console/users/app:asha/unblock"), http.StatusOK, "The block has no end of its own", `class="primary" data-testid="confirm"`)
}

func TestWhoAsksToRevokeAgainIsToldWhatIsStillGoodAtTheVendor(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	grant := o.give("app:asha", 10*time.Minute)
	b := o.signedIn()
	b.post("/console/users/app:asha/revoke")
	paths := []string{"/console/users/app:asha/block", "/console/users/app:asha/revoke", "/console/grants/" + grant + "/revoke", "/console/revoke-all"}
	for _, path := range paths {
		says(t, b.get(path), http.StatusOK, `data-testid="will-not"`, "2026-04-01 11:20:00 UTC")
	}
	o.clock.advance(50 * time.Minute)
	b = o.signedIn()
	for _, path := range paths {
		if a := b.get(path); a.status != http.StatusOK || strings.Contains(a.body, `data-testid="will-not"`) {
			t.Errorf("%s: %d, or the token has expired at the vendor, too", path, a.status)
		}
	}
}

func TestAQuestionLooksLikeWhatItDoes(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	grant := o.give("app:asha", 10*time.Minute)
	b := o.signedIn()
	const danger, plain = `<button class="danger" data-testid="confirm">`, `<button data-testid="confirm">`
	says(t, b.get("/console/users/app:asha/revoke"), http.StatusOK, danger, `aria-current="page" data-testid="nav-users"`, "block the user</a> instead")
	says(t, b.get("/console/grants/"+grant+"/revoke"), http.StatusOK, danger, `aria-current="page" data-testid="nav-grants"`)
	says(t, b.get("/console/users/app:asha/unblock"), http.StatusOK, plain, "nothing will change")
	b.post("/console/users/app:asha/block", "for", "lifted")
	for _, path := range []string{"/console/users/app:asha/revoke", "/console/grants/" + grant + "/revoke", "/console/revoke-all"} {
		a := b.get(path)
		says(t, a, http.StatusOK, plain)
		if strings.Contains(a.body, "instead") {
			t.Errorf("%s: the user is blocked already", path)
		}
	}
}

func TestAUserWhoseIDEndsInASpaceIsFound(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	o.give("app:asha ", time.Minute)
	b := o.signedIn()
	if a := b.get("/console/users?q=app:asha+"); strings.Contains(a.body, `data-testid="absent"`) {
		t.Error("the user is said not to be there")
	}
	for path, row := range map[string]string{"grants": "grant-row", "audit": "record"} {
		says(t, b.get("/console/"+path+"?subject=app:asha+"), http.StatusOK, `data-testid="`+row+`"`)
	}
}

func TestABlockOfALengthEndsWithAMinute(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	b := o.signedIn()
	o.clock.advance(1500 * time.Millisecond)
	b.post("/console/users/app:asha/block", "for", "1h")
	says(t, b.get("/console/users/app:asha/block"), http.StatusOK, `value="2026-04-01T11:31"`)
}
