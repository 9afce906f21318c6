package ratelimit

import (
	"errors"
	"fmt"
	"time"

	"github.com/ulule/limiter/v3"
)

// Limits are the limits of one class, in ulule/limiter's notation: "30-M" is 30 a
// minute; S, M, H and D stand for second, minute, hour and day. "" is no limit.
type Limits struct {
	User    string // for each authenticated caller
	Address string // for each client address; IPv6 addresses count by their /64
	All     string // for all callers together
}

// Settings are the limits of all classes.
type Settings struct {
	Token, Save, Read, Upload, Admin, SignIn Limits

	Failures string // failed authentications of each client address
}

// Rules are parsed Settings.
type Rules struct {
	classes  map[Class]*classRules
	failures *rule // nil for no limit
}

type classRules struct {
	rules  []*rule  // user, address, all; only those that are set
	policy []string // the value of RateLimit-Policy
}

// class returns the rules of class. It panics if there are none, which is a mistake
// in the wiring of routes.
func (r *Rules) class(class Class) *classRules {
	limits, ok := r.classes[class]
	if !ok {
		panic("ratelimit: no rules for the class " + string(class))
	}
	return limits
}

// scope says which requests a rule counts together.
type scope int

const (
	perUser scope = iota
	perAddress
	allCallers
)

// rule is one limit and the texts that describe it.
type rule struct {
	name      string
	scope     scope
	rate      limiter.Rate
	itemStart string // the constant first part of its item in RateLimit
	refusal   string // the first sentence of a refusal
}

// Parse parses s. Its error names every wrong key, prefixed by section:
// "ratelimit.token.user".
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
	r.failures = p.rule("failures", "failures", s.Failures, perAddress)
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
		p.rule(string(class)+".user", string(class)+"-user", s.User, perUser),
		p.rule(string(class)+".address", string(class)+"-address", s.Address, perAddress),
		p.rule(string(class)+".all", string(class)+"-all", s.All, allCallers),
	} {
		if r != nil {
			c.rules = append(c.rules, r)
		}
	}
	c.policy = policy(c.rules)
	return c
}

// rule returns nil if rate is "" or malformed.
func (p *parser) rule(key, name, rate string, scope scope) *rule {
	if rate == "" {
		return nil
	}
	parsed, err := limiter.NewRateFromFormatted(rate)
	if err == nil && parsed.Limit < 1 {
		err = errors.New("the number must be 1 or more")
	}
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf(`%s.%s: want a rate such as "30-M" (S, M, H or D), or "" for no limit: %w`,
			p.section, key, err))
		return nil
	}
	return &rule{name: name, scope: scope, rate: parsed, itemStart: `"` + name + `";r=`, refusal: refusal(parsed, scope)}
}

func refusal(rate limiter.Rate, scope scope) string {
	period := map[time.Duration]string{
		time.Second: "second", time.Minute: "minute", time.Hour: "hour", 24 * time.Hour: "day",
	}[rate.Period]
	switch scope {
	case perUser:
		return fmt.Sprintf("You may make %d of these requests a %s.", rate.Limit, period)
	case perAddress:
		return fmt.Sprintf("Your address may make %d of these requests a %s.", rate.Limit, period)
	default:
		return "The service accepts no more of these requests at the moment." // without the number, as in header.go
	}
}
