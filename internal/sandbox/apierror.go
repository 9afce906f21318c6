package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// apiError is an error in one of the vendor's shapes.
type apiError struct {
	status            int
	msg               string
	code              string // "" where the vendor's documents show none
	detail            bool   // the shape of the token and credits endpoints: {"detail": msg}
	requiresReconnect bool   // adds "requires_reconnect": true
	retryAfter        int    // seconds; 0 for no header
}

// Error returns the message that the caller reads.
func (e *apiError) Error() string { return e.msg }

// Errors returned in more than one place.
var (
	errNoKey     = &apiError{status: http.StatusUnauthorized, code: "INVALID_API_KEY", msg: "API key is missing: send it as x-api-key"}
	errBadKey    = &apiError{status: http.StatusUnauthorized, code: "INVALID_API_KEY", msg: "Invalid API key"}
	errExpired   = &apiError{status: http.StatusForbidden, code: "INVALID_API_KEY", msg: "Access token has expired"}
	errNoCredits = &apiError{status: http.StatusPaymentRequired, code: "INSUFFICIENT_CREDITS", msg: "Insufficient credits"}
	errTooLarge  = &apiError{status: http.StatusBadRequest, code: "FILE_TOO_LARGE", msg: "File is larger than 10 MB"}

	errRateLimited = &apiError{
		status: http.StatusTooManyRequests, code: "RATE_LIMITED", msg: "Rate limit exceeded, try again later", retryAfter: 60,
	}
	// errKeyOrQuota takes the place of errBadKey, errExpired and errNoCredits with Options.OpenAPIErrors.
	errKeyOrQuota = &apiError{status: http.StatusForbidden, msg: "API quota exceeded or invalid API key"}
)

// badRequest returns a 400 in the common shape.
func badRequest(msg string) *apiError { return &apiError{status: http.StatusBadRequest, msg: msg} }

// detailError returns a 400 in the shape of the token and credits endpoints.
func detailError(msg string) *apiError {
	return &apiError{status: http.StatusBadRequest, msg: msg, detail: true}
}

func notFound(what string) *apiError {
	return &apiError{status: http.StatusNotFound, msg: what + " not found or expired"}
}

// bodyError returns the error for a body that could not be read. It passes on a
// *http.MaxBytesError, which writeError answers with errTooLarge.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fmt.Errorf("read body: %w", err)
	}
	return badRequest("Request body could not be read")
}

// writeError answers with err and returns the status of the answer.
func (s *Sandbox) writeError(w http.ResponseWriter, err error) int {
	var e *apiError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &tooLarge):
		e = errTooLarge
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e = &apiError{status: http.StatusGatewayTimeout, code: "TIMEOUT", msg: "Request timed out"}
	default:
		e = &apiError{status: http.StatusInternalServerError, msg: "Internal error"}
	}
	if s.opts.OpenAPIErrors && (e == errBadKey || e == errExpired || e == errNoCredits) {
		e = errKeyOrQuota
	}
	s.writeAPIError(w, e)
	return e.status
}

func (s *Sandbox) writeAPIError(w http.ResponseWriter, e *apiError) {
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	if e.detail {
		writeJSON(w, e.status, map[string]string{"detail": e.msg})
		return
	}
	status := "failed"
	if s.opts.OldErrors {
		status = "error"
	}
	writeJSON(w, e.status, struct {
		Status            string `json:"status"`
		Msg               string `json:"msg"`
		Code              string `json:"code,omitempty"`
		RequiresReconnect bool   `json:"requires_reconnect,omitempty"`
	}{status, e.msg, e.code, e.requiresReconnect})
}
