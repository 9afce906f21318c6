package httpapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Params reads the parameters of one request. A method that finds a wrong value returns
// the zero value and keeps the fault: a handler reads all its parameters, then asks Err.
// It is not safe for concurrent use.
type Params struct {
	values url.Values
	err    error
}

// FormParams returns the Params of a form that was read, such as http.Request.PostForm.
func FormParams(form url.Values) *Params { return &Params{values: form} }

// QueryParams reads the query string of u. It returns ErrQuery if that cannot be read or
// has a parameter twice, since one of the two values would be ignored.
func QueryParams(u *url.URL) (*Params, error) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, ErrQuery // without the cause, which repeats what was sent
	}
	for _, list := range values {
		if len(list) > 1 {
			return nil, ErrQuery
		}
	}
	return &Params{values: values}, nil
}

// Only returns an ErrQuery that lists known if there is a parameter not in known.
func (p *Params) Only(known ...string) error {
	for name := range p.values {
		switch {
		case slices.Contains(known, name):
		case len(known) == 0:
			return ErrQuery.Withf("This call takes no query parameters.")
		default:
			return ErrQuery.Withf("This call takes only these query parameters: %s.", strings.Join(known, ", "))
		}
	}
	return nil
}

// Err returns the first fault that was found, or nil.
func (p *Params) Err() error { return p.err }

// Fail keeps err as the fault of the request, unless there is an earlier one.
func (p *Params) Fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// Text returns a parameter as it was sent, "" if it was left out.
func (p *Params) Text(name string) string { return p.values.Get(name) }

// Has reports whether a parameter was sent, even empty.
func (p *Params) Has(name string) bool { return p.values.Has(name) }

// Limit returns the parameter "limit", from 1 to most, or usual if it was left out or is
// empty. Any other value is a fault: BadLimit(most).
func (p *Params) Limit(usual, most int) int {
	text := p.Text("limit")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		p.Fail(BadLimit(most))
		return 0
	}
	return n
}

// Time returns a parameter in the form of RFC 3339 as UTC, or the zero time if it was left
// out or is empty. Any other value, and a time before 1970, is a fault: ErrTime.
func (p *Params) Time(name string) time.Time {
	text := p.Text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Before(time.Unix(0, 0)) { // so the zero time always means "left out"
		p.Fail(ErrTime)
		return time.Time{}
	}
	return t.UTC()
}
