package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// Asker makes the vendor's other calls about statements.
type Asker interface {
	// Ask sends body, JSON, to a path at the vendor for subject, and returns the answer.
	Ask(w http.ResponseWriter, r *http.Request, subject, requestID, path string, body []byte) (Answer, error)
}

// errNotAccepted is returned with the vendor's words.
var errNotAccepted = fault.New(fault.Unprocessable, "request_not_accepted", "The statement service did not accept this.")

// ErrNoSession is returned for an OTP session that is not the caller's, or is over.
var ErrNoSession = fault.New(fault.NotFound, "session_not_found", "There is no such session; start again.")

// mailRequest has a statement mailed to the investor.
type mailRequest struct {
	Email    string `json:"email"`
	FromDate string `json:"from_date"`
	ToDate   string `json:"to_date"`
	Password string `json:"password,omitempty"`
	PAN      string `json:"pan_no,omitempty"`
}

// fetchRequest starts an OTP session at CDSL.
type fetchRequest struct {
	PAN  string `json:"pan"`
	BOID string `json:"bo_id"`
	DOB  string `json:"dob"`
}

// verifyRequest sends the OTP of a session.
type verifyRequest struct {
	OTP        string `json:"otp"`
	NumPeriods int    `json:"num_periods,omitempty"`
}

func (h *Handler) requestByMail(c echo.Context) error {
	return ask[mailRequest](c, h, "/v4/generate", `{"email": "asha@example.com", "from_date": "2025-01-01", "to_date": "2025-12-31"}`)
}

func (h *Handler) fetch(c echo.Context) error {
	return ask[fetchRequest](c, h, "/v4/cdsl/fetch", `{"pan": "ABCDE1234F", "bo_id": "1234567890123456", "dob": "1990-01-31"}`)
}

// sessionPattern is the form of the ids of sessions.
var sessionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func (h *Handler) verify(c echo.Context) error {
	if !sessionPattern.MatchString(c.Param("id")) {
		return ErrNoSession
	}
	return ask[verifyRequest](c, h, "/v4/cdsl/fetch/"+c.Param("id")+"/verify", `{"otp": "123456"}`)
}

// ask answers with what the vendor answers at path to the caller's request, a T.
func ask[T any](c echo.Context, h *Handler, path, example string) error {
	r, who := c.Request(), auth.From(c.Request().Context())
	req, err := httpapi.ReadBody[T](c.Response(), r, httpapi.BodyRules{MaxBytes: 4 << 10, Required: true, Example: example, Secret: true})
	if err != nil {
		return err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	a, err := h.Asker.Ask(c.Response(), r, who.Subject, c.Response().Header().Get(httpapi.HeaderRequestID), path, body)
	if err == nil {
		err = refusalOf(a)
	} else {
		err = explain(err)
	}
	if err != nil {
		return err
	}
	return c.JSONBlob(http.StatusOK, bytes.TrimSpace(a.Body))
}

// refusalOf returns the problem that an answer to one of these calls means; nil for a
// success.
func refusalOf(a Answer) error {
	err := failureOf(a)
	if !isNotParsed(err) {
		return err
	}
	if a.Status == http.StatusNotFound {
		return ErrNoSession
	}
	var e vendorError
	_ = json.Unmarshal(a.Body, &e) // without words then
	if words := strings.TrimSpace(sentence(e.Msg) + " " + sentence(e.Detail)); words != "" {
		return errNotAccepted.Withf("%s", words)
	}
	return errNotAccepted
}

// isNotParsed reports whether err is of a document that the vendor cannot read.
func isNotParsed(err error) bool {
	f, ok := errors.AsType[*fault.Fault](err)
	return ok && f.Kind == fault.Unprocessable
}
