package access

import (
	"strconv"
	"strings"
	"time"
)

const (
	// loadTime is how long a change that was announced may take to be read, before the view
	// admits none of the users concerned.
	loadTime = 500 * time.Millisecond
	// maxAnnounced bounds the users whose announced changes are remembered. Past it, the
	// changes concern all users.
	maxAnnounced = 10_000
	// allUsers stands for all users in a message.
	allUsers = "*"
)

// announced has the changes that messages announced and that were not read yet, by the hash
// of their user, or allUsers, with the times at which they were announced. It is not safe for
// concurrent use.
type announced map[string]time.Time

// add remembers a change that concerns user, which was announced at the time at.
func (a announced) add(user string, at time.Time) {
	if len(a) >= maxAnnounced {
		user = allUsers
	}
	if _, known := a[user]; !known {
		a[user] = at
	}
}

// overdue reports whether a change of user has not been read for loadTime.
func (a announced) overdue(user string, now time.Time) bool {
	at, found := a[user]
	return found && now.Sub(at) > loadTime
}

// read forgets what was announced before began, when a successful refresh began: a change is
// durable before it is announced, so that refresh has found it.
func (a announced) read(began time.Time) {
	for user, at := range a {
		if !at.After(began) {
			delete(a, user)
		}
	}
}

// message returns what announces the change of access with this version to other replicas.
// hash is that of its user, or allUsers. Earlier releases refresh at a message that is not a
// version alone.
func message(version int64, hash string) string {
	return strconv.FormatInt(version, 10) + " " + hash
}

// parseMessage is the reverse of message. Messages of earlier releases have no user; they
// concern all users. ok is false for a message that announces nothing.
func parseMessage(text string) (version int64, hash string, ok bool) {
	number, hash, found := strings.Cut(text, " ")
	if !found {
		hash = allUsers
	}
	version, err := strconv.ParseInt(number, 10, 64)
	return version, hash, err == nil
}

// announce notes that a message has announced a change with a newer version than the view's.
func (v *View) announce(user string) {
	now := v.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.announced.add(user, now)
}

// missing reports whether a change for subject was announced that could not be read. The
// caller holds mu.
func (v *View) missing(subject string, now time.Time) bool {
	return len(v.announced) > 0 &&
		(v.announced.overdue(allUsers, now) || subject != "" && v.announced.overdue(v.hash(subject), now))
}
