package cli

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// formError is returned for a successful answer that does not have the form of a broker's
// answer, so that it proves nothing.
type formError struct{ why error }

// Error describes the error and what to check.
func (e formError) Error() string {
	return fmt.Sprintf("the broker's answer is not in the form that this program expects (%v); check that --url is a broker of the same version", e.why)
}

// Unwrap returns what is wrong with the answer.
func (e formError) Unwrap() error { return e.why }

// checkMedia returns a formError unless res has the media type, with any parameters.
func checkMedia(res *http.Response, media string) error {
	want, _, _ := mime.ParseMediaType(media)
	got, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if got != want {
		return formError{fmt.Errorf("its media type is %.100q, not %s", got, want)}
	}
	return nil
}

// membersOf returns the members of an answer, which must be an object.
func membersOf(answer jsontext.Value) (map[string]jsontext.Value, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(answer, &members); err != nil {
		return nil, formError{err}
	}
	if members == nil {
		return nil, formError{errors.New("it is null")}
	}
	return members, nil
}

// result is a broker's answer to an action.
type result struct {
	Already bool   `json:"already"`
	Subject string `json:"subject"`
	GrantID string `json:"grant_id"`
	Block   *struct {
		Subject string    `json:"subject"`
		Until   time.Time `json:"until"`
	} `json:"block"`
	UpstreamValidUntil time.Time `json:"upstream_valid_until"`
}

// readResult reads the answer to an action. It fails with a formError unless the answer says
// whether there was something to do, and matches accepts it.
func readResult(answer jsontext.Value, matches func(result) bool) (r result, err error) {
	members, err := membersOf(answer)
	if err != nil {
		return r, err
	}
	if kind := members["already"].Kind(); kind != 't' && kind != 'f' {
		return r, formError{errors.New("it does not say whether anything was done")}
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, formError{err}
	}
	if !matches(r) {
		return r, formError{errors.New("it is about another object than the one asked for")}
	}
	return r, nil
}
