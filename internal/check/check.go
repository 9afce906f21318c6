// Package check collects what is wrong with settings, so that one report names every
// invalid key.
package check

import (
	"errors"
	"fmt"
	"net/url"

	"casbroker/internal/netaddr"
)

// Errors collects errors in settings, each beginning with the key that it is about.
// The zero value is empty and ready for use.
type Errors []error

// Add adds an error about key.
func (e *Errors) Add(key, format string, args ...any) {
	*e = append(*e, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

// Require adds an error about key unless ok.
func (e *Errors) Require(ok bool, key, format string, args ...any) {
	if !ok {
		e.Add(key, format, args...)
	}
}

// URL adds an error about key unless address is a URL without user, query and fragment,
// and with https; http is allowed for this machine only.
func (e *Errors) URL(key, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		e.Add(key, "want a URL such as https://api.example, without user, query or fragment")
		return
	}
	e.Require(u.Scheme == "https" || u.Scheme == "http" && netaddr.IsLoopback(u.Hostname()), key,
		"want https; http is allowed for this machine only")
}

// Join returns all errors as one, nil if there are none.
func (e Errors) Join() error { return errors.Join(e...) }
