package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin/session"
)

// noticeCookie carries what is to be said on the next page, once. A link cannot set
// it, so nobody can make the console say what did not happen.
const noticeCookie = "casbroker_notice"

// noticeTime is how long the next page may take to come.
const noticeTime = time.Minute

// endOfTime is when the year 10000 begins, in Unix seconds: RFC 3339 has none like it.
const endOfTime = 253_402_300_800

// deed is what was done.
type deed string

// The deeds.
const (
	blocked      deed = "blocked"
	unblocked    deed = "unblocked"
	grantRevoked deed = "grant_revoked"
	userRevoked  deed = "user_revoked"
	allRevoked   deed = "all_revoked"
)

// said is what is said of deeds: when they were done, and when there was nothing left
// to do.
var said = map[deed][2]string{
	blocked:      {"The user is blocked", "The user was blocked like this already"},
	unblocked:    {"The block is lifted. The user can have new tokens", "The user was not blocked"},
	grantRevoked: {"The token is revoked", "The token was revoked or had expired already"},
	userRevoked:  {"All tokens of the user are revoked", "The user had no token that still counted"},
	allRevoked:   {"All tokens of all users are revoked", "There was no token that still counted"},
}

// note is a deed for the next page to tell of.
type note struct {
	deed    deed
	already bool
	until   time.Time // when the vendor's tokens expire that it is about; zero for none
}

// noteOf says what r came to.
func noteOf(d deed, r access.Result) note { return note{d, r.Already, r.UpstreamValidUntil} }

// notice is what a page says of what was just done.
type notice struct {
	Text    string
	Already bool
	Until   time.Time
}

// leave keeps n for the next page.
func (n note) leave(w http.ResponseWriter) {
	value := string(n.deed) + "." + strconv.FormatBool(n.already) + "."
	if !n.until.IsZero() {
		value += strconv.FormatInt(n.until.Unix(), 10)
	}
	setNotice(w, value, int(noticeTime.Seconds()))
}

// isShown reports whether somebody will see the page that r asks for. HEAD, which is
// answered as GET is, comes from programs, and they ask for anything but HTML.
func isShown(r *http.Request) bool {
	return r.Header.Get(session.HeaderIdle) == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// takeNotice returns what is to be said, nil for nothing, and forgets it.
func takeNotice(w http.ResponseWriter, r *http.Request) *notice {
	cookie, err := r.Cookie(noticeCookie)
	if err != nil {
		return nil
	}
	setNotice(w, "", -1)
	name, rest, _ := strings.Cut(cookie.Value, ".")
	already, until, _ := strings.Cut(rest, ".")
	texts, ok := said[deed(name)]
	if !ok {
		return nil
	}
	n := &notice{Text: texts[0], Already: already == "true"}
	if n.Already {
		n.Text = texts[1]
	}
	if at, err := strconv.ParseInt(until, 10, 64); err == nil && at >= 0 && at < endOfTime {
		n.Until = time.Unix(at, 0)
	}
	return n
}

func setNotice(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // nothing secret, and it has to come back over http on this machine
		Name: noticeCookie, Value: value, Path: home, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
