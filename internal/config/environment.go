package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"casbroker/internal/secret"
)

// Prefix is the prefix of every environment variable that is a setting: upstream.api_key
// is CASBROKER_UPSTREAM_API_KEY and auth.verifiers[0].issuer is
// CASBROKER_AUTH_VERIFIERS_0_ISSUER. For a secret, the variable name with the suffix
// _FILE names a file that holds the value.
const Prefix = "CASBROKER_"

// fileSuffix is the suffix of a variable that names a file with the value.
const fileSuffix = "_FILE"

// variables are the environment variables with Prefix that no setting has used yet.
type variables map[string]string

// readEnvironment overrides c with the variables in environ, without ServiceLinks. The error
// has every invalid and every unknown variable.
func (c *Config) readEnvironment(environ []string) error {
	vars := variables{}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, Prefix) {
			vars[name] = value
		}
	}
	for _, name := range ServiceLinks(environ) {
		delete(vars, name)
	}
	errs := vars.fill(strings.TrimSuffix(Prefix, "_"), reflect.ValueOf(c).Elem())
	unknown := make([]string, 0, len(vars))
	for name := range vars {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		errs = append(errs, &keyError{variable: name, unknown: true, text: name + ": " + errUnknown})
	}
	return errors.Join(errs...)
}

// fill sets v from the variable name, and the fields and elements of v from the variables
// that begin with name.
func (vars variables) fill(name string, v reflect.Value) (errs []error) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag.Get("yaml")
			below := name + "_" + strings.ToUpper(tag)
			if file := fieldOf(v, tag+"_file"); file.IsValid() {
				errs = append(errs, vars.fillEither(below, v.Field(i), file)...)
				continue
			}
			errs = append(errs, vars.fill(below, v.Field(i))...)
		}
	case isStructs(v):
		for i := 0; i < v.Len() || vars.anyUnder(name+"_"+strconv.Itoa(i)+"_"); i++ {
			if i == v.Len() {
				v.Set(reflect.Append(v, newElement(v.Type().Elem())))
			}
			errs = append(errs, vars.fill(name+"_"+strconv.Itoa(i), v.Index(i))...)
		}
	default:
		if err := vars.set(name, v); err != nil {
			errs = append(errs, &keyError{variable: name, text: name + ": " + err.Error()})
		}
	}
	return errs
}

// fillEither sets text, a secret, from the variable name, or file, the setting of the same
// name that has a file with the secret, from the variable name_FILE. Either clears the
// other.
func (vars variables) fillEither(name string, text, file reflect.Value) []error {
	value, given := vars[name]
	path, inFile := vars[name+fileSuffix]
	delete(vars, name)
	delete(vars, name+fileSuffix)
	switch {
	case given && inFile:
		return []error{&keyError{variable: name, text: fmt.Sprintf("%s: set this or %s, not both", name, name+fileSuffix)}}
	case given:
		text.SetString(value)
		file.SetString("")
	case inFile:
		text.SetString("")
		file.SetString(path)
	}
	return nil
}

func (vars variables) anyUnder(prefix string) bool {
	for name := range vars {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// set gives v the value of the variable name, if there is one.
func (vars variables) set(name string, v reflect.Value) error {
	value, given, err := vars.take(name, isSecret(v.Type()))
	if err != nil || !given {
		return err
	}
	switch to := v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return to.UnmarshalText([]byte(value))
	case *string:
		*to = value
	case *[]string:
		*to = splitList(value)
	default:
		if value == "" || yaml.Unmarshal([]byte(value), to) != nil {
			return fmt.Errorf("want %s, not %q", wanted(v.Type()), value)
		}
	}
	return nil
}

// isSecret reports whether a setting of this type is a secret or may contain one.
func isSecret(t reflect.Type) bool {
	return t == reflect.TypeFor[secret.Text]() || t == reflect.TypeFor[secret.URL]()
}

// take returns the value of the variable name and removes it from vars. With allowFile,
// the value may be in the file that name_FILE names instead.
func (vars variables) take(name string, allowFile bool) (value string, given bool, err error) {
	value, given = vars[name]
	delete(vars, name)
	path, inFile := vars[name+fileSuffix]
	if !inFile || !allowFile {
		return value, given, nil
	}
	delete(vars, name+fileSuffix)
	if given {
		return "", false, fmt.Errorf("set this or %s, not both", name+fileSuffix)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", false, fmt.Errorf("read the file of %s: %w", name+fileSuffix, err)
	}
	return strings.TrimRight(string(text), "\r\n"), true, nil
}

// splitList reads "a, b" as a list; the empty value is the empty list.
func splitList(value string) []string {
	var list []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}
