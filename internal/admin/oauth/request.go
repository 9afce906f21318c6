package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// maxBody limits a request body, in bytes: a token and the other parameters.
const maxBody = auth.MaxTokenSize + 4<<10

// RFC 6749, section 5.2, has one error code for all malformed requests.
var (
	errRequest = fault.New(fault.Invalid, "invalid_request",
		"The body must be a percent-encoded form with one non-empty token: token=<the token>.")
	errInURL = errRequest.Withf(
		"Send the parameters in the body, not in the URL, where a token would get into logs.")
	errMediaType = httpapi.ErrMediaType.Withf("Send the body as application/x-www-form-urlencoded.")
)

func isForm(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && media == "application/x-www-form-urlencoded"
}

// readForm returns the form of a request. malformed is returned for any other body.
func readForm(w http.ResponseWriter, r *http.Request, malformed *fault.Fault) (url.Values, error) {
	if r.URL.RawQuery != "" {
		return nil, errInURL
	}
	if err := httpapi.RefuseEncoding(r.Header); err != nil {
		return nil, err
	}
	if !isForm(r.Header) {
		return nil, errMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return nil, err
	case err != nil:
		return nil, malformed.Because(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, malformed // the cause repeats what was sent
	}
	return form, nil
}
