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

// formError is the fault of an answer that was to be a success, and is not what a
// broker answers: it proves nothing.
type formError struct{ why error }

// Error says what to look at.
func (e formError) Error() string {
	return fmt.Sprintf("the broker's answer is not in the form that this program knows (%v); is --url that of a broker, and is it of this version?", e.why)
}

// Unwrap returns what is wrong with the answer.
func (e formError) Unwrap() error { return e.why }

// isOf returns a formError unless res is of a media type, whatever its parameters.
func isOf(res *http.Response, media string) error {
	want, _, _ := mime.ParseMediaType(media)
	got, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if got != want {
		return formError{fmt.Errorf("its media type is %.100q, not %s", got, want)}
	}
	return nil
}

// membersOf returns the members of an answer, which has to be an object.
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

// outcome is what a broker says that an act came to.
type outcome struct {
	Already bool   `json:"already"`
	Subject string `json:"subject"`
	GrantID string `json:"grant_id"`
	Block   *struct {
		Subject string    `json:"subject"`
		Until   time.Time `json:"until"`
	} `json:"block"`
	UpstreamValidUntil time.Time `json:"upstream_valid_until"`
}

// readOutcome reads an answer that has to say whether there was something to do, and
// to fit what was asked. Its error is a formError.
func readOutcome(answer jsontext.Value, fits func(outcome) bool) (o outcome, err error) {
	members, err := membersOf(answer)
	if err != nil {
		return o, err
	}
	if kind := members["already"].Kind(); kind != 't' && kind != 'f' {
		return o, formError{errors.New("it does not say whether anything was done")}
	}
	if err := json.Unmarshal(answer, &o); err != nil {
		return o, formError{err}
	}
	if !fits(o) {
		return o, formError{errors.New("it is about something else than was asked")}
	}
	return o, nil
}
