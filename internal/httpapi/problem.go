package httpapi

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/tracing"
)

// ContentType is the media type of every error answer (RFC 9457, section 3).
const ContentType = "application/problem+json"

// HeaderRequestID is the header that names a request in answers and logs.
const HeaderRequestID = "X-Request-ID"

// Problem is the body of an error answer.
type Problem struct {
	Type      string        `json:"type"`
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail,omitempty"`
	Code      string        `json:"code"`
	RequestID string        `json:"request_id,omitempty"`
	TraceID   string        `json:"trace_id,omitempty"`
	Errors    []fault.Field `json:"errors,omitempty"`

	retryAfter int // seconds, 0 for none
}

var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.NotAllowed:      http.StatusMethodNotAllowed,
	fault.Conflict:        http.StatusConflict,
	fault.TooSlow:         http.StatusRequestTimeout,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.Unprocessable:   http.StatusUnprocessableEntity,
	fault.Limited:         http.StatusTooManyRequests,
	fault.Exhausted:       http.StatusPaymentRequired,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.BadGateway:      http.StatusBadGateway,
}

// ProblemOf maps err to a Problem. An error that is neither a Fault nor the router's
// own becomes a bare 500: its text stays in the log.
func ProblemOf(err error) Problem {
	var f *fault.Fault
	if !errors.As(err, &f) {
		f = foreign(err)
	}
	if f == nil || f.Kind == fault.Internal {
		return bare(http.StatusInternalServerError, "internal")
	}
	p := bare(statuses[f.Kind], f.Code)
	p.Detail, p.Errors = f.Detail, f.Fields
	if f.RetryAfter > 0 {
		p.retryAfter = int(math.Ceil(f.RetryAfter.Seconds()))
	}
	return p
}

func bare(status int, code string) Problem {
	return Problem{Type: "/problems/" + code, Title: http.StatusText(status), Status: status, Code: code}
}

func foreign(err error) *fault.Fault {
	var big *http.MaxBytesError
	var h *echo.HTTPError
	switch {
	case errors.As(err, &big):
		return bodyTooLarge(big)
	case !errors.As(err, &h):
		return nil
	case h.Code == http.StatusNotFound:
		return ErrNoSuchPath
	case h.Code == http.StatusMethodNotAllowed:
		return errMethodNotAllowed
	default:
		return nil
	}
}

// HandleError answers with the Problem of err, in the dialect of the routes if InDialect
// chose one: it is Echo's HTTPErrorHandler. An answer that has begun stays as it is.
func HandleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := ProblemOf(err)
	h := c.Response().Header()
	p.RequestID, p.TraceID = h.Get(HeaderRequestID), tracing.TraceID(c.Request().Context())
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if !strings.Contains(h.Get("Cache-Control"), "no-store") {
		h.Set("Cache-Control", "no-store")
	}
	document := dialectOf(c)(p)
	h.Set(echo.HeaderContentType, contentTypeOf(document))
	if c.Request().Method == http.MethodHead {
		_ = c.NoContent(statusOf(document, p))
		return
	}
	c.Response().WriteHeader(statusOf(document, p))
	// This encoder, unlike Echo's, leaves < > & as they are.
	_ = json.MarshalEncode(jsontext.NewEncoder(c.Response(), jsontext.AllowInvalidUTF8(true)), document)
}
