package admin

import (
	"net/http"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

var (
	errBody = fault.New(fault.Invalid, "invalid_json",
		"The body must be empty, or a JSON object of what this call takes.")
	errMediaType = fault.New(fault.Unsupported, "unsupported_media_type",
		"Send the body as application/json, or send none.")
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
	}](w, r, "reason and until")
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
	}](w, r, "confirm")
	return req.Confirm, err
}

// readNothing fails for a body that says anything, for that would not be heeded.
func readNothing(w http.ResponseWriter, r *http.Request) error {
	_, err := read[struct{}](w, r, "nothing: {}")
	return err
}

// read reads a body, if there is one. takes names its members. No request here needs
// as many bytes as it may have.
func read[T any](w http.ResponseWriter, r *http.Request, takes string) (T, error) {
	return httpapi.ReadBody[T](w, r, httpapi.BodyRules{
		Most: 4 << 10, MediaType: errMediaType,
		Malformed: errBody.Withf("The body must be empty, or a JSON object of %s.", takes),
	})
}
