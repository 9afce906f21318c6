package admin

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// maxBody is more than any request here needs, in bytes.
const maxBody = 4 << 10

var (
	errBody = fault.New(fault.Invalid, "invalid_json",
		"The body must be empty, or a JSON object of what this call takes.")
	errMediaType = fault.New(fault.Unsupported, "unsupported_media_type",
		"Send the body as application/json, or send none.")
	errUntil = fault.New(fault.Unprocessable, "invalid_until",
		"until must be a time as in RFC 3339 that lies in the future; leave it out for a block that lasts until it is lifted.").
		At(fault.Field{Pointer: "/until", Detail: "must be a time such as 2026-04-01T10:00:00Z"})
)

// blocking is how somebody is to be blocked.
type blocking struct {
	Reason string
	Until  time.Time // zero for until it is lifted
}

func readBlock(w http.ResponseWriter, r *http.Request) (blocking, error) {
	var req struct {
		Reason string     `json:"reason"`
		Until  *time.Time `json:"until"`
	}
	err := read(w, r, &req, "reason and until")
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &semantic) && semantic.JSONPointer == "/until":
		return blocking{}, errUntil
	case err != nil:
		return blocking{}, err
	case req.Until == nil:
		return blocking{Reason: req.Reason}, nil
	case req.Until.IsZero(): // which would mean no end
		return blocking{}, errUntil
	}
	return blocking{req.Reason, *req.Until}, nil
}

func readConfirm(w http.ResponseWriter, r *http.Request) (string, error) {
	var req struct {
		Confirm string `json:"confirm"`
	}
	err := read(w, r, &req, "confirm")
	return req.Confirm, err
}

// readNothing fails for a body that says anything, for that would not be heeded.
func readNothing(w http.ResponseWriter, r *http.Request) error {
	return read(w, r, &struct{}{}, "nothing")
}

// read reads a body into req, if there is one. takes names its members.
func read(w http.ResponseWriter, r *http.Request, req any, takes string) error {
	wrong := errBody.Withf("The body must be empty, or a JSON object of %s.", takes)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return err
	case err != nil:
		return wrong.Because(err)
	case len(body) == 0:
		return nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return errMediaType
	}
	if jsontext.Value(body).Kind() != '{' {
		return wrong
	}
	if err := json.Unmarshal(body, req, json.RejectUnknownMembers(true)); err != nil {
		return wrong.Because(err)
	}
	return nil
}
