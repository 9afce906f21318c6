package config

import (
	"errors"
	"io"
	"reflect"
	"time"

	"github.com/goccy/go-yaml"
)

// ErrNotRead is returned for a file of settings that cannot be read or is not YAML. None of
// its settings are known then.
var ErrNotRead = errors.New("cannot read the settings")

// Load returns base, overridden by the YAML file at path (none if "") and then by the
// environment. environ has the form of os.Environ. The error has every error of both;
// the Config that comes with it has all valid settings.
func Load(base Config, path string, environ []string) (Config, error) {
	c := base
	var fileErr error
	if path != "" {
		fileErr = c.readFile(path)
	}
	return c, errors.Join(fileErr, c.readEnvironment(environ))
}

// wanted describes the values of a setting of type t, for error messages.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 30s"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Slice:
		return "a list of words"
	default:
		return "a text"
	}
}

// Print writes the settings as YAML, with secrets hidden.
func (c *Config) Print(w io.Writer) error {
	return yaml.NewEncoder(w, yaml.Indent(2), yaml.IndentSequence(true)).Encode(c)
}
