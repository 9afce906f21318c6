package config

import (
	"errors"
	"strings"
)

// keyError is an error about one setting in a file or in the environment, or about a name
// that is not a setting.
type keyError struct {
	variable string // the name of the setting in the environment, whatever it was written in
	unknown  bool
	text     string
}

func (e *keyError) Error() string { return e.text }

// variableOf returns the name in the environment of the setting called key.
func variableOf(key string) string {
	return Prefix + strings.ToUpper(strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(key))
}

// overlap reports whether one of two variables is the other, or has it as an element or
// field.
func overlap(a, b string) bool {
	return strings.HasPrefix(a+"_", b+"_") || strings.HasPrefix(b+"_", a+"_")
}

// Causes joins loaded, an error of Load that returned c, and checked, an error of checks of
// c whose parts begin with their keys. It leaves out what follows from loaded: errors about
// settings that could not be read and, if there are names that are not settings, about
// settings that have their defaults, since those may be what the names were meant for.
func (c *Config) Causes(loaded, checked error) error {
	var refused []*keyError
	unknown := false
	for _, err := range leaves(loaded) {
		if e, ok := errors.AsType[*keyError](err); ok {
			refused = append(refused, e)
			unknown = unknown || e.unknown
		}
	}
	kept := []error{loaded}
	for _, err := range leaves(checked) {
		key, _, _ := strings.Cut(err.Error(), ": ")
		variable := variableOf(key)
		follows := unknown && !c.isGiven(variable)
		for _, e := range refused {
			follows = follows || overlap(e.variable, variable)
		}
		if !follows {
			kept = append(kept, err)
		}
	}
	return errors.Join(kept...)
}

// isGiven reports whether the setting with this variable, or one of its fields or elements,
// differs from its default.
func (c *Config) isGiven(variable string) bool {
	for _, e := range c.List() {
		if !e.Default && overlap(variableOf(e.Key), variable) {
			return true
		}
	}
	return false
}

// leaves returns the errors that errors.Join has joined in err.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, each := range joined.Unwrap() {
		all = append(all, leaves(each)...)
	}
	return all
}
