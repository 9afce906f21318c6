package gateway

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// A page polls its forwarding address every 3 seconds. The answers come from the database,
// into which files get in two ways:
//
//	vendor ── callback with a secret path ──▶ Inbound ──┐
//	                                                    ├─▶ Mail.add ──▶ MailStore ──▶ polls
//	vendor ◀── one poll in PollEvery asks ── exchange ──┘
//
// Both give a file the same identity, so it is stored once.

// MailAddress is a forwarding address of a user.
type MailAddress struct {
	ID, Subject string
	KeyName     string    // as that of Resource
	Callback    bool      // the vendor reports its files to Inbound
	AskedAt     time.Time // when the vendor was last asked for files
	Cursor      string    // the vendor's; "" before the first file
}

// MailFile is a statement that arrived at a forwarding address.
type MailFile struct {
	MessageID, Name string // together unique in an address
	// ReceivedAt is a page's cursor, in whole microseconds: later than that of every file
	// that was stored before. Of a file that is added, it is when the file arrived.
	ReceivedAt time.Time
	ExpiresAt  time.Time // when its URL stops working
	// Members are those of the file in the vendor's answer, except for received_at and
	// expires_in. They are nil if they cannot be decrypted.
	Members map[string]jsontext.Value
}

// Arrival says what is new at a forwarding address.
type Arrival struct {
	Subject, Address string
	Messages         int // mails that were not known; the vendor charges for each
	Files            int // files that were not known
}

// MailStore stores the files of forwarding addresses. It is the same on all replicas.
type MailStore interface {
	// MailAddress returns the address with id, the zero MailAddress if it is not known.
	MailAddress(ctx context.Context, id string) (MailAddress, error)
	// CallbackAddress returns the address that was claimed with the secret, the zero
	// MailAddress if there is none.
	CallbackAddress(ctx context.Context, secret string) (MailAddress, error)
	// ClaimAsk sets AskedAt of an address to now if it is until or before, or after
	// farthest, because a clock was wrong. Of concurrent callers one gets true.
	ClaimAsk(ctx context.Context, id string, now, until, farthest time.Time) (bool, error)
	// AddFiles stores those files of an address that are not known yet, and the vendor's
	// cursor unless it is "", all or nothing. It returns ErrNoAddress if the address is not
	// known, and ErrManyFiles if it has too many files.
	AddFiles(ctx context.Context, address string, files []MailFile, cursor string) (Arrival, error)
	// MailFiles returns up to limit files of an address that were received after since and
	// have not expired at now, the oldest first.
	MailFiles(ctx context.Context, address string, since, now time.Time, limit int) ([]MailFile, error)
}

var (
	// ErrNoAddress is returned for a forwarding address that is not known, or another user's.
	ErrNoAddress = fault.New(fault.NotFound, "not_found", "There is no such forwarding address.")
	// ErrManyFiles is returned for files of an address that has too many already.
	ErrManyFiles = fault.New(fault.Limited, "too_many_files",
		"This forwarding address has too many files; some must expire first.").After(time.Hour)
)

// Mail answers polls for the files of forwarding addresses. Store, PollEvery and Now are
// required.
type Mail struct {
	Store MailStore
	// PollEvery is the least time between two calls of the vendor about one address.
	PollEvery time.Duration
	// CallbackURL returns the URL, without the secret, at which the vendor reaches Inbound,
	// "" if it cannot. host is that of the page's request. nil is the same as "".
	CallbackURL func(host string) string
	// Arrived is called once after each change that stored new files, in the goroutine of
	// the request that did it; nil for none. A broker that is killed right after the change
	// does not call it.
	Arrived func(ctx context.Context, a Arrival)
	// Charge records that the vendor charges for a mail to an address of subject; nil for
	// none. It is called before the files are stored, and again if the mail is reported again:
	// mail, which identifies it, must count once. If it fails, no files are stored.
	Charge func(ctx context.Context, subject, mail string, at time.Time) error
	// ObservePoll is called with how each poll was answered, a constant of this package; nil
	// for none.
	ObservePoll func(answer string)
	Now         func() time.Time
}

// callbackURL returns the URL, without the secret, of the callbacks of new addresses.
func (m *Mail) callbackURL(host string) string {
	if m == nil || m.CallbackURL == nil {
		return ""
	}
	return m.CallbackURL(host)
}

// How polls are answered.
const (
	PollStored = "stored" // without the vendor
	PollAsked  = "asked"  // after the vendor was asked
	PollFailed = "failed" // without the vendor, which was asked in vain
)

// callbackPollEvery is PollEvery for an address whose files the vendor reports by itself.
// Asking is a safety net there, for a callback that was lost, refused for its host, or does
// not reach the broker. It costs 1 of the account's 60 requests a minute for each user who
// waits.
const callbackPollEvery = time.Minute

// due reports whether the vendor has to be asked about a at now.
func (m *Mail) due(a MailAddress, now time.Time) (until time.Time, due bool) {
	every := m.PollEvery
	if a.Callback {
		every = max(every, callbackPollEvery)
	}
	until = now.Add(-every)
	return until, !a.AskedAt.After(until) || a.AskedAt.After(now.Add(maxSkew))
}

// maxSkew is how far the clocks of replicas may differ.
const maxSkew = time.Minute

// add stores files of an address, with what they cost, and calls Arrived.
func (m *Mail) add(ctx context.Context, address MailAddress, files []MailFile, cursor string) (Arrival, error) {
	charged := map[string]bool{}
	for _, f := range files {
		if m.Charge == nil || charged[f.MessageID] {
			continue
		}
		charged[f.MessageID] = true
		if err := m.Charge(ctx, address.Subject, address.ID+"/"+f.MessageID, m.Now()); err != nil {
			return Arrival{}, err
		}
	}
	a, err := m.Store.AddFiles(ctx, address.ID, files, cursor)
	if err == nil && a.Files > 0 && m.Arrived != nil {
		m.Arrived(ctx, a)
	}
	return a, err
}

const (
	// defaultFileTTL is how long a URL works for which the vendor gives no time. maxFileTTL
	// bounds the times that it gives.
	defaultFileTTL = 24 * time.Hour
	maxFileTTL     = 7 * 24 * time.Hour
	// timestamp is the vendor's form of a time: ISO 8601 with microseconds.
	timestamp = "2006-01-02T15:04:05.000000Z07:00"
)

var errNameless = errors.New("a file without message_id, received_at and url")

// newMailFile returns the file with these members, which it changes.
func newMailFile(members map[string]jsontext.Value, now time.Time) (MailFile, error) {
	f := MailFile{MessageID: memberText(members, "message_id"), Name: memberText(members, "filename"), ReceivedAt: now, Members: members}
	if at, ok := parseTimestamp(memberText(members, "received_at")); ok {
		f.ReceivedAt = at
	}
	for _, other := range []string{"received_at", "url"} { // its identity, if the vendor gives no id
		if f.MessageID == "" {
			f.MessageID = memberText(members, other)
		}
	}
	if f.MessageID == "" {
		return f, errNameless
	}
	f.ExpiresAt = now.Add(defaultFileTTL)
	if seconds, err := strconv.ParseFloat(string(members["expires_in"]), 64); err == nil && seconds > 0 {
		f.ExpiresAt = now.Add(time.Duration(min(seconds, maxFileTTL.Seconds()) * float64(time.Second)))
	}
	delete(members, "received_at")
	delete(members, "expires_in")
	return f, nil
}

// memberText returns the text of a member, "" if it is not a text.
func memberText(members map[string]jsontext.Value, name string) (text string) {
	if json.Unmarshal(members[name], &text) != nil {
		return ""
	}
	return text
}

// parseTimestamp reads an ISO 8601 time. One without a zone is in UTC.
func parseTimestamp(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// show returns the file as a page gets it at now.
func (f MailFile) show(now time.Time) map[string]any {
	shown := make(map[string]any, len(f.Members)+2)
	for name, value := range f.Members {
		shown[name] = value
	}
	shown["received_at"] = f.ReceivedAt.UTC().Format(timestamp)
	shown["expires_in"] = int64(f.ExpiresAt.Sub(now) / time.Second)
	return shown
}
