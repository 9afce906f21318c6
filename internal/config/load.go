package config

import (
	"errors"
	"io"
	"reflect"
	"time"

	"github.com/goccy/go-yaml"
)

// Load returns base with the YAML file at path (none if "") and then the
// environment over it. environ is as os.Environ gives it. The error has every
// fault of both; what is not at fault is set all the same.
func Load(base Config, path string, environ []string) (Config, error) {
	c := base
	var inFile error
	if path != "" {
		inFile = c.readFile(path)
	}
	return c, errors.Join(inFile, c.readEnvironment(environ))
}

// wanted says in words what a setting of this type looks like.
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

// Print writes the settings as YAML, secrets hidden.
func (c *Config) Print(w io.Writer) error {
	return yaml.NewEncoder(w, yaml.Indent(2), yaml.IndentSequence(true)).Encode(c)
}
