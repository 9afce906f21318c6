package admin

import (
	"net/http"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/httpapi"
)

// blocking is how somebody is to be blocked.
type blocking struct {
	Reason string
	Until  time.Time // zero for until it is lifted
}

func readBlock(w http.ResponseWriter, r *http.Request) (blocking, error) {
	req, err := read[struct {
		Reason string     `json:"reason"`
		Until  *time.Time `json:"until"`
	}](w, r, `{"reason": "stolen phone", "until": "2036-04-01T10:00:00Z"}`)
	switch {
	case httpapi.IsTypeError(err, "/until"):
		return blocking{}, access.ErrUntil
	case err != nil:
		return blocking{}, err
	case req.Until == nil:
		return blocking{Reason: req.Reason}, nil
	case req.Until.IsZero(): // which would mean no end
		return blocking{}, access.ErrUntil
	}
	return blocking{req.Reason, *req.Until}, nil
}

func readConfirm(w http.ResponseWriter, r *http.Request) (string, error) {
	req, err := read[struct {
		Confirm string `json:"confirm"`
	}](w, r, `{"confirm": "revoke everything"}`)
	return req.Confirm, err
}

// readNothing fails for a body that says anything, for that would not be heeded.
func readNothing(w http.ResponseWriter, r *http.Request) error {
	_, err := read[struct{}](w, r, "{}")
	return err
}

// read reads an optional body; example is a valid one for error texts. 4 KiB is more than any
// request needs.
func read[T any](w http.ResponseWriter, r *http.Request, example string) (T, error) {
	return httpapi.ReadBody[T](w, r, httpapi.BodyRules{MaxBytes: 4 << 10, Example: example})
}
