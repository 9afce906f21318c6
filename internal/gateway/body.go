package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"casbroker/internal/httpapi"
)

// maxInspected is the longest answer that is read before the caller gets it, in bytes.
const maxInspected = 1 << 20

var (
	errID    = errors.New("the answer has an id of an unknown form")
	errTaken = errors.New("the answer has the id of another user's resource")
)

// smallAnswer is an answer of the vendor that was read as a whole.
type smallAnswer struct {
	status int
	body   []byte
}

// inspector sees an answer before the caller gets it. It may replace the body. If it
// returns an error, the caller gets that.
type inspector func(ctx context.Context, a *smallAnswer) error

// failed reports whether the status is that of a failure.
func (a *smallAnswer) failed() bool { return a.status >= 300 }

// decode reads the answer into v. Unknown members are ignored.
func (a *smallAnswer) decode(v any) error { return json.Unmarshal(a.body, v) }

// inspectAnswer reads the answer res and calls x.inspect with it.
func (x *exchange) inspectAnswer(res *http.Response) error {
	body, err := readSmall(res)
	if err != nil {
		return err
	}
	a := &smallAnswer{res.StatusCode, body}
	if err := x.inspect(res.Request.Context(), a); err != nil {
		return err
	}
	setBody(res, a.body)
	return nil
}

// setBody makes body that of res.
func setBody(res *http.Response, body []byte) {
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
}

// readSmall reads the body of res as a whole and puts it back.
func readSmall(res *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxInspected+1))
	_ = res.Body.Close()
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxInspected:
		return nil, errBadAnswer.Because(errTooLong)
	}
	setBody(res, body)
	return body, nil
}

// readRequest reads the JSON object in the body of r into v. An empty body is the same as
// {}. Unknown members are ignored, since they are not passed on.
func readRequest(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return err
	}
	if err != nil {
		return errAborted.Because(err)
	}
	if len(body) == 0 {
		return nil
	}
	if json.Unmarshal(body, v) != nil { // the error may repeat what was sent
		return httpapi.ErrJSON.Withf("The body must be a JSON object, as the API describes it.")
	}
	return nil
}

// replaceRequest makes v the body of r.
func replaceRequest(r *http.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	return nil
}
