package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin/session"
)

// noticeCookie carries the result of an action to the next page, which shows it once. A
// link cannot set it, so other sites cannot show false results.
const noticeCookie = "casbroker_notice"

// noticeTTL is how long the next page may take to load.
const noticeTTL = time.Minute

// maxUntil is the beginning of the year 10000 in Unix seconds, which RFC 3339 cannot write.
const maxUntil = 253_402_300_800

// action is an action whose result is shown.
type action string

// The actions.
const (
	blocked      action = "blocked"
	unblocked    action = "unblocked"
	grantRevoked action = "grant_revoked"
	userRevoked  action = "user_revoked"
	allRevoked   action = "all_revoked"
	linkRevoked  action = "link_revoked"
	budgetRaised action = "budget_raised"

	logLevelSet     action = "log_level_set"
	logLevelSetHere action = "log_level_set_here"

	webhookEnabled  action = "webhook_enabled"
	webhookDisabled action = "webhook_disabled"
	webhookReplayed action = "webhook_replayed"
)

// noticeTexts are the texts of actions: if something changed, and if nothing did.
var noticeTexts = map[action][2]string{
	blocked:      {"The user is blocked", "The user was already blocked like this"},
	unblocked:    {"The block is lifted. The user can get new tokens", "The user was not blocked"},
	grantRevoked: {"The token is revoked", "The token was already revoked or expired"},
	userRevoked:  {"All tokens of the user are revoked", "The user had no active token"},
	allRevoked:   {"All tokens of all users are revoked", "There was no active token"},
	linkRevoked:  {"The hosted link is revoked", "The hosted link had ended before"},
	budgetRaised: {"The budget is raised", ""},

	logLevelSet:     {"The level of the log is changed on all replicas", ""},
	logLevelSetHere: {"The level of the log is changed on this replica alone: Redis is not used, or cannot be reached", ""},

	webhookEnabled:  {"The webhook is enabled", ""},
	webhookDisabled: {"The webhook is disabled", ""},
	webhookReplayed: {"The events are sent again", "There was no event to send again"},
}

// actionResult is the result of an action, for the next page.
type actionResult struct {
	action  action
	already bool      // nothing changed
	until   time.Time // when the affected tokens expire at the vendor; zero for none
}

func resultNotice(a action, r access.Result) actionResult {
	return actionResult{a, r.Already, r.UpstreamValidUntil}
}

// notice is what a page says about the previous action.
type notice struct {
	Text    string
	Already bool
	Until   time.Time
}

// set stores the result in the cookie.
func (r actionResult) set(w http.ResponseWriter) {
	value := string(r.action) + "." + strconv.FormatBool(r.already) + "."
	if !r.until.IsZero() {
		value += strconv.FormatInt(r.until.Unix(), 10)
	}
	setNotice(w, value, int(noticeTTL.Seconds()))
}

// isVisible reports whether a person will see the page that r asks for: not if a page
// refreshes itself, and not for a HEAD request, which programs send without accepting HTML.
func isVisible(r *http.Request) bool {
	return r.Header.Get(session.HeaderIdle) == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// takeNotice returns the notice in the cookie, nil for none, and deletes the cookie.
func takeNotice(w http.ResponseWriter, r *http.Request) *notice {
	cookie, err := r.Cookie(noticeCookie)
	if err != nil {
		return nil
	}
	setNotice(w, "", -1)
	name, rest, _ := strings.Cut(cookie.Value, ".")
	already, until, _ := strings.Cut(rest, ".")
	texts, ok := noticeTexts[action(name)]
	if !ok {
		return nil
	}
	n := &notice{Text: texts[0], Already: already == "true"}
	if n.Already {
		n.Text = texts[1]
	}
	if seconds, err := strconv.ParseInt(until, 10, 64); err == nil && seconds >= 0 && seconds < maxUntil {
		n.Until = time.Unix(seconds, 0)
	}
	return n
}

func setNotice(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not secret, and must work over http on loopback
		Name: noticeCookie, Value: value, Path: home, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
