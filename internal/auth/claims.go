package auth

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// maxSubjectSize is the maximum size of "sub", in bytes.
const maxSubjectSize = 256

// claims are the decoded claims of a token.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Expires   date     `json:"exp"`
	NotBefore date     `json:"nbf"`
	IssuedAt  date     `json:"iat"`

	Rest jsontext.Value `json:",embed"` // all other claims, from which roles are read
}

// registered are the claims that have fields in claims, so they cannot hold roles.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat"}

// check applies the verifier's rules to the claims of a token whose signature is valid.
// now is in unix seconds.
func (v *verifier) check(c *claims, now int64) error {
	if len(c.Audience) == 0 {
		return errNoAudience
	}
	if !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(v.audience, a) }) {
		return errAudience
	}
	if err := v.checkTimes(c, now); err != nil {
		return err
	}
	if !subjectOK(c.Subject) {
		return errSubject
	}
	return nil
}

// checkTimes allows leeway only for the start of a token's lifetime (nbf, iat). Leeway
// for exp would accept a token that its issuer considers expired; without it a clock
// difference costs the caller one more sign-in.
func (v *verifier) checkTimes(c *claims, now int64) error {
	switch {
	case !c.Expires.set:
		return errNoExpiry
	case c.Expires.at <= now:
		return errExpired
	case c.Expires.at-now > v.maxLifetime+v.leeway,
		c.IssuedAt.set && c.Expires.at-c.IssuedAt.at > v.maxLifetime:
		return errLifetime
	case c.NotBefore.set && c.NotBefore.at > now+v.leeway:
		return errNotYet
	case c.IssuedAt.set && c.IssuedAt.at > now+v.leeway:
		return errFuture
	}
	return nil
}

// subjectOK reports whether sub is a valid subject. Invisible characters could make two
// callers look alike.
func subjectOK(sub string) bool {
	if sub == "" || len(sub) > maxSubjectSize || strings.TrimSpace(sub) != sub {
		return false
	}
	return !strings.ContainsFunc(sub, func(r rune) bool { return !unicode.IsGraphic(r) })
}

// date is a NumericDate (RFC 7519, section 2), truncated to whole seconds.
type date struct {
	at  int64 // seconds since 1970
	set bool
}

var (
	errNotDate     = errors.New("want a number of seconds since 1970")
	errNotAudience = errors.New("want a string or an array of strings")
)

// lastSecond is the last second of the year 9999, the maximum of a date.
const lastSecond = 253402300799

// UnmarshalJSONFrom accepts a number, but not a string of digits.
func (d *date) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	t, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != '0' {
		return errNotDate
	}
	f, err := t.Float()
	if err != nil || f < 0 || f > lastSecond {
		return errNotDate
	}
	d.at, d.set = int64(f), true
	return nil
}

// audience is an "aud": one string or an array of strings.
type audience []string

// UnmarshalJSONFrom accepts both forms.
func (a *audience) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	t, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch t.Kind() {
	case '"':
		*a = audience{t.String()}
		return nil
	case '[':
		return a.elements(dec)
	default:
		return errNotAudience
	}
}

func (a *audience) elements(dec *jsontext.Decoder) error {
	for {
		t, err := dec.ReadToken()
		if err != nil {
			return err
		}
		switch t.Kind() {
		case '"':
			*a = append(*a, t.String())
		case ']':
			return nil
		default:
			return errNotAudience
		}
	}
}
