package config

import (
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"casbroker/internal/secret"
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
	err := errors.Join(fileErr, c.readEnvironment(environ))
	standard := Default()
	setEmptyLists(reflect.ValueOf(&c).Elem(), reflect.ValueOf(&standard).Elem())
	for i := range c.Auth.Verifiers {
		c.Auth.Verifiers[i].setMissing()
	}
	return c, err
}

// setEmptyLists gives each list in v that is empty its default, whose value is in standard:
// an empty list means the same as a missing one.
func setEmptyLists(v, standard reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			setEmptyLists(v.Field(i), standard.Field(i))
		}
	case v.Kind() == reflect.Slice && v.Len() == 0:
		v.Set(standard)
	case isStructs(v):
		for i := range v.Len() {
			setEmptyLists(v.Index(i), newElement(v.Type().Elem()))
		}
	}
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
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return "a list"
	case t.Kind() == reflect.Slice:
		return "a list of words"
	default:
		return "a text"
	}
}

// Print writes the settings as YAML, with secrets hidden.
func (c *Config) Print(w io.Writer) error {
	printed := *c
	hideCredentials("", reflect.ValueOf(&printed).Elem())
	return yaml.NewEncoder(w, yaml.Indent(2), yaml.IndentSequence(true)).Encode(&printed)
}

// hostAndPath matches a URL without credentials: what follows a host without a port is a path,
// even with an @ in it.
var hostAndPath = regexp.MustCompile(`^https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/[^?]*$`)

// hideCredentials hides user and password in each URL in v, the setting called name. No such
// setting may have them, but one that is not valid is printed, too. Lists in v are replaced,
// not changed.
func hideCredentials(name string, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			hideCredentials(v.Type().Field(i).Tag.Get("yaml"), v.Field(i))
		}
	case isStructs(v) && v.Len() > 0:
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		v.Set(list)
		for i := range v.Len() {
			hideCredentials("", v.Index(i))
		}
	case v.Type() == reflect.TypeFor[string]() && (name == "issuer" || name == "endpoint" || strings.HasSuffix(name, "url")) &&
		strings.ContainsAny(v.String(), "@?") && !hostAndPath.MatchString(v.String()):
		v.SetString(secret.URL(v.String()).String())
	}
}
