package auth

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// usersPath begins the paths of calls that a service makes for a user.
const usersPath = "/v1/users/"

// Errors of calls that a service makes for a user.
var (
	// ErrSubject is returned when the path does not name a user.
	ErrSubject = fault.New(fault.Invalid, "invalid_subject",
		"The path must name a user as verifier:sub, percent-encoded, such as /v1/users/app:42/token; sub is 1 to 256 bytes of visible text.")
	// ErrUnknownVerifier is returned when no user can have the id in the path.
	ErrUnknownVerifier = fault.New(fault.NotFound, "unknown_verifier",
		"No user has such an id: the part before the colon is not the name of a verifier.")
)

// actFor returns the user that path names, with who as its Actor.
func (a *Authenticator) actFor(who Principal, path string) (*Principal, error) {
	if who.Scopes == 0 { // the check of the scope is left to the route, which knows its name
		return &Principal{Subject: who.Subject, Roles: who.Roles, Actor: who.Subject}, nil
	}
	subject, err := subjectIn(path)
	if err != nil {
		return nil, err
	}
	return a.ActFor(who, subject)
}

// ActFor returns the user subject with the service who as its Actor. It returns
// ErrUnknownVerifier, or ErrForbidden for a user of a verifier that the service may not act
// for.
func (a *Authenticator) ActFor(who Principal, subject string) (*Principal, error) {
	verifier, _, _ := strings.Cut(subject, ":")
	if !a.hasVerifier(verifier) {
		return nil, ErrUnknownVerifier
	}
	if !slices.Contains(a.ActsFor(who), verifier) {
		return nil, ErrForbidden.Withf("This service may not act for users of the verifier %s.", verifier).
			WithNotef("acts_for of auth.verifiers[] or auth.service_keys[] names the verifiers for whose users a service may act")
	}
	return &Principal{Subject: subject, Roles: RoleUser, Scopes: who.Scopes, Actor: who.Subject}, nil
}

// ActsFor returns the names of the verifiers for whose users a service may act: those of its
// key, or of the verifier of its JWT.
func (a *Authenticator) ActsFor(service Principal) []string {
	if names, ok := a.actsFor[service.Subject]; ok {
		return names
	}
	verifier, _, _ := strings.Cut(service.Subject, ":")
	return a.actsFor[verifier]
}

// subjectIn returns the subject in an escaped path below usersPath, ErrSubject, or
// httpapi.ErrNoSuchPath if there is nothing where the subject would be.
func subjectIn(path string) (string, error) {
	segment, _, _ := strings.Cut(strings.TrimPrefix(path, usersPath), "/")
	if segment == "" {
		return "", httpapi.ErrNoSuchPath
	}
	subject, err := url.PathUnescape(segment)
	if err != nil {
		return "", ErrSubject
	}
	verifier, sub, found := strings.Cut(subject, ":")
	if !found || !verifierName.MatchString(verifier) || !utf8.ValidString(sub) || !subjectOK(sub) {
		return "", ErrSubject
	}
	return subject, nil
}

// userPath returns the path at which a service makes the call of the route at path for a
// user.
func userPath(path string) string {
	const all = "/v1/users/{subject}"
	rest, found := strings.CutPrefix(path, "/v1/")
	below, user := strings.CutPrefix(path, usersPath+":subject")
	switch {
	case user:
		rest = below
	case rest == "me" || !found:
		rest = ""
	default:
		rest = "/" + strings.TrimPrefix(rest, "me/")
	}
	return all + strings.ReplaceAll(rest, ":id", "{id}")
}

// PathOf returns the path of a call of who, such as "/portfolios", as who has to ask for it.
func PathOf(who Principal, call string) string {
	if who.Actor == "" {
		return "/v1" + call
	}
	return usersPath + url.PathEscape(who.Subject) + call
}
