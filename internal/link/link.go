package link

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// The lifetime of a link, in seconds of expires_in.
const (
	MinTTL     = 10 * time.Minute
	MaxTTL     = 7 * 24 * time.Hour
	DefaultTTL = 24 * time.Hour
)

// OnceTTL is how long a link for use once is valid after it was opened.
const OnceTTL = time.Hour

// MaxOpen is how many links of one user can be valid at a time.
const MaxOpen = 50

// MaxSessions is in how many browsers a link can be opened.
const MaxSessions = 20

// Errors of this package.
var (
	// ErrUnknown is returned for a token that belongs to no link.
	ErrUnknown = fault.New(fault.Unauthenticated, "link_unknown", "This link is not valid. Ask the app for a new one.")
	// ErrExpired, ErrRevoked, ErrUsed and ErrCompleted are returned when a link cannot be used any more.
	ErrExpired   = fault.New(fault.Forbidden, "link_expired", "This link has expired. Ask the app for a new one.")
	ErrRevoked   = fault.New(fault.Forbidden, "link_revoked", "This link was withdrawn. Ask the app for a new one.")
	ErrUsed      = fault.New(fault.Forbidden, "link_used", "This link was opened in another browser. Go on there, or ask the app for a new one.")
	ErrCompleted = fault.New(fault.Forbidden, "link_completed", "A statement was saved with this link already.")
	// ErrTooManySessions is returned when a link was opened in MaxSessions browsers.
	ErrTooManySessions = fault.New(fault.Conflict, "too_many_sessions", "This link was opened in too many browsers. Ask the app for a new one.")

	// ErrSessionTaken is returned when the secret of a session is that of another link's.
	ErrSessionTaken = fault.New(fault.Unprocessable, "invalid_session", "session belongs to another link.").
			At(fault.Field{Pointer: "/session", Detail: "must be new for each link"})

	errSession = fault.New(fault.Unprocessable, "invalid_session", "session must be cbls_ and 32 random bytes in base64url.").
			At(fault.Field{Pointer: "/session", Detail: "must be cbls_ and 43 characters"})

	// ErrUnavailable is the answer to every request for a link if there are none.
	ErrUnavailable = fault.New(fault.Forbidden, "links_unavailable", "This service has no hosted links.").
			WithNotef("hosted links need link.name, and token.mode gateway or both")
	// ErrNoLink is returned for a link that does not exist or is another user's.
	ErrNoLink = fault.New(fault.NotFound, "link_not_found", "There is no such link.")
	// ErrTooMany is returned when a user has MaxOpen links.
	ErrTooMany = fault.New(fault.Conflict, "too_many_links", "This user has 50 links that are still valid; revoke some, or wait until they expire.")
)

// Use says how often a link can be used.
type Use string

// The uses.
const (
	Once       Use = "once"        // in one browser
	UntilSaved Use = "until_saved" // in any number of browsers, until a statement was saved
)

// State is the state of a link.
type State string

// The states.
const (
	New       State = "new"
	Opened    State = "opened"
	Completed State = "completed" // a statement was saved
	Expired   State = "expired"
	Revoked   State = "revoked"
)

// States are all of them.
var States = []State{New, Opened, Completed, Expired, Revoked}

// Ended reports whether a link in this state cannot be used any more.
func (s State) Ended() bool { return s != New && s != Opened }

// Err returns the error for the use of a link in this state, nil if it can be used.
func (s State) Err() error {
	switch s {
	case Completed:
		return ErrCompleted
	case Expired:
		return ErrExpired
	case Revoked:
		return ErrRevoked
	case New, Opened:
	}
	return nil
}

// Link is a hosted link.
type Link struct {
	ID      string // "ln_…"
	Subject string // the user
	Use     Use
	Private
	Language    string // of the page at first: en or hi
	CreatedBy   string // the service that made it
	CreatedAt   time.Time
	ExpiresAt   time.Time
	OpenedAt    time.Time // zero for a new one
	EndedAt     time.Time // zero until the end is recorded
	State       State     // when it was read
	PortfolioID string    // of a Completed one
	SavedBy     string    // the session that saved; "" if it is not known
	SavedKey    []byte    // hash of the Idempotency-Key of the save; nil for none

	AccessVersion int64 // the newest change of access that was known when it was made
}

// Private is what the app has given for the page. It is stored sealed.
type Private struct {
	ReturnURL string         `json:"return_url,omitempty"`
	Config    jsontext.Value `json:"config,omitempty"` // of the widget, with prefilled values
}

// Session is the use of a link in one browser.
type Session struct {
	ID        string // "ls_…"
	LinkID    string
	StartedAt time.Time
	Steps     []Step
}

// Step is something that happened in a session.
type Step struct {
	Name string    `json:"step"`
	Code string    `json:"code,omitempty"` // of an error
	At   time.Time `json:"at,omitzero"`
}
