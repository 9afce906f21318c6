package ratelimit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ulule/limiter/v3"
)

// Limits are the limits of one class, in ulule/limiter's notation: "30-M" is 30 a
// minute; S, M, H and D stand for second, minute, hour and day. "" is no limit.
type Limits struct {
	User    string // for each authenticated caller
	Address string // for each client address; IPv6 addresses count by their /64
	All     string // for all callers together
	Mode    string // Enforce or Observe; "" means Enforce
}

// The modes of a class.
const (
	Enforce = "enforce"
	Observe = "observe" // requests past a limit are counted and logged, and pass
)

// ServiceLimits are the limits of Service. Addresses are not limited: a back end makes all
// its calls from a few.
type ServiceLimits struct {
	User  string // for each user that a service acts for, and each service
	Total string // for each service
	All   string // for all services together
	Mode  string // Enforce or Observe; "" means Enforce
}

// Settings are the limits of all classes.
type Settings struct {
	Token, Save, Read, Upload, Admin, SignIn Limits

	Service  ServiceLimits
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
	perSite           // an address too, but IPv6 addresses count by their /48: for guesses
	perService        // the service that acts for the user
	perUserAndService // both
	allCallers
)

// rule is one limit and the texts that describe it.
type rule struct {
	name      string
	scope     scope
	rate      limiter.Rate
	itemStart string // the constant first part of its item in RateLimit
	refusal   string // the first sentence of a refusal
	observed  bool   // it refuses nothing
}

// Parse parses s. Its error names every wrong key, prefixed by section:
// "ratelimit.token.user".
func Parse(section string, s Settings) (Rules, error) {
	p := parser{section: section}
	r := Rules{classes: map[Class]*classRules{
		Token:  p.class(Token, s.Token, perAddress),
		Save:   p.class(Save, s.Save, perAddress),
		Read:   p.class(Read, s.Read, perAddress),
		Upload: p.class(Upload, s.Upload, perAddress),
		Admin:  p.class(Admin, s.Admin, perAddress),
		SignIn: p.class(SignIn, s.SignIn, perSite),
	}}
	r.classes[Service] = p.newClass("service", s.Service.Mode,
		p.rule("service.user", "service-user", s.Service.User, perUserAndService),
		p.rule("service.total", "service-total", s.Service.Total, perService),
		p.rule("service.all", "service-all", s.Service.All, allCallers))
	r.classes[ServiceKey] = r.classes[SignIn].renamed(SignIn, ServiceKey)
	r.failures = p.rule("failures", "failures", s.Failures, perSite)
	if r.failures != nil {
		r.failures.refusal = "Too many requests from this address could not be authenticated."
	}
	return r, errors.Join(p.errs...)
}

type parser struct {
	section string
	errs    []error
}

func (p *parser) class(class Class, s Limits, address scope) *classRules {
	return p.newClass(string(class), s.Mode,
		p.rule(string(class)+".user", string(class)+"-user", s.User, perUser),
		p.rule(string(class)+".address", string(class)+"-address", s.Address, address),
		p.rule(string(class)+".all", string(class)+"-all", s.All, allCallers))
}

// newClass returns a class with those of rules that are not nil, in this mode. section is
// that of its settings.
func (p *parser) newClass(section, mode string, rules ...*rule) *classRules {
	if mode != "" && mode != Enforce && mode != Observe {
		p.errs = append(p.errs, fmt.Errorf("%s.%s.mode: want enforce or observe, not %q", p.section, section, mode))
	}
	for _, r := range rules {
		if r != nil {
			r.observed = mode == Observe
		}
	}
	return newClass(rules...)
}

// newClass returns a class with those of rules that are not nil.
func newClass(rules ...*rule) *classRules {
	c := &classRules{rules: slices.DeleteFunc(rules, func(r *rule) bool { return r == nil })}
	c.policy = policy(c.rules)
	return c
}

// renamed returns a copy of c, which is the class from, as the class to. The two count
// separately.
func (c *classRules) renamed(from, to Class) *classRules {
	rules := make([]*rule, len(c.rules))
	for i, r := range c.rules {
		rules[i] = newRule(string(to)+strings.TrimPrefix(r.name, string(from)), r.rate, r.scope)
		rules[i].observed = r.observed
	}
	return newClass(rules...)
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
	return newRule(name, parsed, scope)
}

func newRule(name string, rate limiter.Rate, scope scope) *rule {
	return &rule{name: name, scope: scope, rate: rate, itemStart: `"` + name + `";r=`, refusal: refusal(rate, scope)}
}

func refusal(rate limiter.Rate, scope scope) string {
	period := map[time.Duration]string{
		time.Second: "second", time.Minute: "minute", time.Hour: "hour", 24 * time.Hour: "day",
	}[rate.Period]
	switch scope {
	case perUser:
		return fmt.Sprintf("You may make %d of these requests a %s.", rate.Limit, period)
	case perService:
		return fmt.Sprintf("A service may make %d requests for users a %s.", rate.Limit, period)
	case perUserAndService:
		return fmt.Sprintf("A service may make %d requests for the same user a %s.", rate.Limit, period)
	case perAddress, perSite:
		return fmt.Sprintf("Your address may make %d of these requests a %s.", rate.Limit, period)
	default:
		return "The service accepts no more of these requests at the moment." // without the number, as in header.go
	}
}
