package ratelimit

import (
	"errors"
	"fmt"
	"time"

	"github.com/ulule/limiter/v3"
)

// Limits are the limits of one class as ulule/limiter writes rates: "30-M" is 30 a
// minute; S, M, H and D are second, minute, hour and day. "" is no limit.
type Limits struct {
	User    string // of each authenticated caller
	Address string // of each client address; IPv6 addresses count by their /64
	All     string // of everybody together
}

// Settings are all limits.
type Settings struct {
	Token, Save, Read, Upload, Admin, SignIn Limits

	Failures string // failed authentications of each client address
}

// Rules are Settings that were understood.
type Rules struct {
	classes  map[Class]*classRules
	failures *rule // nil for none
}

type classRules struct {
	rules  []*rule  // user, address, all; those that are set
	policy []string // the value of RateLimit-Policy
}

// whose says what a rule counts by.
type whose int

const (
	ofUser whose = iota
	ofAddress
	ofAll
)

// rule is one limit, with what is said about it.
type rule struct {
	name    string
	of      whose
	rate    limiter.Rate
	state   string // how its item of RateLimit begins
	refusal string // the first sentence of a refusal
}

// Parse understands s. The error names every wrong key, with section in front:
// "limits.token.user".
func Parse(section string, s Settings) (Rules, error) {
	p := parser{section: section}
	r := Rules{classes: map[Class]*classRules{
		Token:  p.class(Token, s.Token),
		Save:   p.class(Save, s.Save),
		Read:   p.class(Read, s.Read),
		Upload: p.class(Upload, s.Upload),
		Admin:  p.class(Admin, s.Admin),
		SignIn: p.class(SignIn, s.SignIn),
	}}
	r.failures = p.rule("failures", "failures", s.Failures, ofAddress)
	if r.failures != nil {
		r.failures.refusal = "Too many requests from this address could not be authenticated."
	}
	return r, errors.Join(p.errs...)
}

type parser struct {
	section string
	errs    []error
}

func (p *parser) class(class Class, s Limits) *classRules {
	c := &classRules{}
	for _, r := range []*rule{
		p.rule(string(class)+".user", string(class)+"-user", s.User, ofUser),
		p.rule(string(class)+".address", string(class)+"-address", s.Address, ofAddress),
		p.rule(string(class)+".all", string(class)+"-all", s.All, ofAll),
	} {
		if r != nil {
			c.rules = append(c.rules, r)
		}
	}
	c.policy = policy(c.rules)
	return c
}

// rule returns nil when there is no limit or it cannot be read.
func (p *parser) rule(key, name, rate string, of whose) *rule {
	if rate == "" {
		return nil
	}
	parsed, err := limiter.NewRateFromFormatted(rate)
	if err == nil && parsed.Limit < 1 {
		err = errors.New("the number must be 1 or more")
	}
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf(`%s.%s: want a rate such as "30-M" (S, M, H or D), or "" for none: %w`,
			p.section, key, err))
		return nil
	}
	return &rule{name: name, of: of, rate: parsed, state: `"` + name + `";r=`, refusal: refusal(parsed, of)}
}

func refusal(rate limiter.Rate, of whose) string {
	period := map[time.Duration]string{
		time.Second: "second", time.Minute: "minute", time.Hour: "hour", 24 * time.Hour: "day",
	}[rate.Period]
	switch of {
	case ofUser:
		return fmt.Sprintf("You may make %d of these requests a %s.", rate.Limit, period)
	case ofAddress:
		return fmt.Sprintf("Your address may make %d of these requests a %s.", rate.Limit, period)
	default:
		return "The service takes no more of these requests at the moment." // whoever asks: not how many that is
	}
}
