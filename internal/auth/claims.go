package auth

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxSubjectSize is the maximum size of "sub", in bytes.
const maxSubjectSize = 256

// claims are the decoded claims of a token.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   subject  `json:"sub"`
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
	if err := v.checkAudience(c); err != nil {
		return err
	}
	if err := v.checkTimes(c, now); err != nil {
		return err
	}
	switch sub := c.Subject; {
	case sub.number && !v.numeric:
		return errNumber
	case sub.number && strings.Trim(sub.text, "0123456789") != "":
		return errFraction
	case !subjectOK(sub.text):
		return errSubject
	}
	return nil
}

// claimAud is the usual claim that says whom a token is for.
const claimAud = "aud"

// checkAudience checks whom the token is for. A token with "aud" is always for those that it
// lists only (RFC 7519, section 4.1.3), whatever else says whom it is for.
func (v *verifier) checkAudience(c *claims) error {
	if v.partyClaim != "" {
		party, err := c.text(v.partyClaim)
		switch {
		case err != nil:
			return err
		case party == "":
			return errNoAudience.Withf("The token has no %s.", v.partyClaim)
		case !slices.Contains(v.audience, party):
			return errAudience.Withf("The token's %s is not accepted by this service.", v.partyClaim)
		case c.Audience == nil:
			return nil
		}
	}
	if len(c.Audience) == 0 {
		return errNoAudience
	}
	if !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(v.audience, a) }) {
		return errAudience
	}
	return nil
}

// text returns the value of the claim name, which has no field in c; "" if it is missing or
// null.
func (c *claims) text(name string) (string, error) {
	if len(c.Rest) == 0 {
		return "", nil
	}
	var all map[string]jsontext.Value
	if err := json.Unmarshal(c.Rest, &all); err != nil {
		return "", errClaims
	}
	value := all[name]
	if len(value) == 0 || value.Kind() == 'n' {
		return "", nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", wrongClaim(name)
	}
	return text, nil
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
	errNotSubject  = errors.New("want a string or a number")
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

// subject is a "sub": a string, or a number as it is written, which is not rounded.
type subject struct {
	text   string
	number bool
}

// UnmarshalJSONFrom accepts a string, a number and null.
func (s *subject) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	t, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch t.Kind() {
	case '"', '0':
		*s = subject{text: t.String(), number: t.Kind() == '0'}
		return nil
	case 'n':
		return nil
	default:
		return errNotSubject
	}
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
		*a = audience{} // an empty list is not a missing one
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
