package config

import (
	"fmt"
	"regexp"
	"slices"

	"casbroker/internal/check"
	"casbroker/internal/credit"
)

// The choices of budgets[].scope and budgets[].period.
const (
	ScopeUser = "user"
	ScopeApp  = "app"
	ScopeAll  = "all"

	PeriodDay   = "day"
	PeriodMonth = "month"
)

// Budget bounds the credits that calls through the gateway cost in a period.
type Budget struct {
	Name    string  `yaml:"name"`
	Scope   string  `yaml:"scope"`   // ScopeUser, ScopeApp or ScopeAll
	App     string  `yaml:"app"`     // the name of a verifier; "" for all
	Period  string  `yaml:"period"`  // PeriodDay or PeriodMonth, of UTC
	Credits Credits `yaml:"credits"` // of the period
	Soft    bool    `yaml:"soft"`    // it is reported when it is reached, and refuses nothing
}

// Credits is a number of the vendor's credits, written as 5 or 0.2.
type Credits credit.Amount

// invalidCredits marks a value that could not be parsed, which Validate reports with its
// key.
const invalidCredits Credits = -1

// UnmarshalText parses a number of credits. It sets invalidCredits for other texts; the
// error is always nil.
func (c *Credits) UnmarshalText(text []byte) error {
	amount, err := credit.Parse(string(text))
	if *c = Credits(amount); err != nil {
		*c = invalidCredits
	}
	return nil
}

// MarshalText writes the number as UnmarshalText reads it.
func (c Credits) MarshalText() ([]byte, error) { return credit.Amount(c).MarshalText() }

// budgetName is the form of budgets[].name, which is a label of metrics and in URLs.
var budgetName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

func (c *Config) validateBudgets(wrong *check.Errors) {
	for i, b := range c.Budgets {
		key := fmt.Sprintf("budgets[%d]", i)
		wrong.Require(budgetName.MatchString(b.Name), key+".name", "required: 1 to 32 of a-z, 0-9 and -, not %q", b.Name)
		twice := slices.ContainsFunc(c.Budgets[:i], func(other Budget) bool { return other.Name == b.Name })
		wrong.Require(!twice, key+".name", "%q is used twice", b.Name)
		wrong.Require(slices.Contains([]string{ScopeUser, ScopeApp, ScopeAll}, b.Scope), key+".scope", "want user, app or all, not %q", b.Scope)
		wrong.Require(slices.Contains([]string{PeriodDay, PeriodMonth}, b.Period), key+".period", "want day or month, not %q", b.Period)
		wrong.Require(b.Credits > 0, key+".credits", "want a number of credits above 0, such as 5 or 0.2, with at most 3 decimal places")
		known := slices.ContainsFunc(c.Auth.Verifiers, func(v Verifier) bool { return v.Name == b.App })
		wrong.Require(b.App == "" || known, key+".app", "want the name of one of auth.verifiers, not %q", b.App)
		wrong.Require(b.App == "" || b.Scope != ScopeAll, key+".app", "want none with the scope all")
	}
}
