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

// Prefix begins the name of every variable that is a setting: upstream.api_key is
// CASBROKER_UPSTREAM_API_KEY, auth.verifiers[0].issuer is
// CASBROKER_AUTH_VERIFIERS_0_ISSUER, and _FILE behind the name of a secret names a
// file that holds it.
const Prefix = "CASBROKER_"

// fileSuffix is behind the name of a variable that names a file with the value.
const fileSuffix = "_FILE"

// variables are the settings in the environment that no field has taken yet.
type variables map[string]string

func (c *Config) readEnvironment(environ []string) error {
	vars := variables{}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, Prefix) {
			vars[name] = value
		}
	}
	faults := vars.fill(strings.TrimSuffix(Prefix, "_"), reflect.ValueOf(c).Elem())
	unknown := make([]string, 0, len(vars))
	for name := range vars {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		faults = append(faults, fmt.Errorf("%s: there is no such setting", name))
	}
	return errors.Join(faults...)
}

// fill sets v, whose variable is name, and what lies below it.
func (vars variables) fill(name string, v reflect.Value) (faults []error) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag.Get("yaml")
			faults = append(faults, vars.fill(name+"_"+strings.ToUpper(tag), v.Field(i))...)
		}
	case isStructs(v):
		for i := 0; i < v.Len() || vars.anyUnder(name+"_"+strconv.Itoa(i)+"_"); i++ {
			if i == v.Len() {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			}
			faults = append(faults, vars.fill(name+"_"+strconv.Itoa(i), v.Index(i))...)
		}
	default:
		if err := vars.set(name, v); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return faults
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
	value, given, err := vars.take(name, mayBeInFile(v.Type()))
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

// mayBeInFile reports whether a setting of this type is, or may hold, a secret.
func mayBeInFile(t reflect.Type) bool {
	return t == reflect.TypeFor[secret.Text]() || t == reflect.TypeFor[secret.URL]()
}

// take returns the value of name, from the file that name_FILE names if that is
// how it is given, and removes both.
func (vars variables) take(name string, inFileToo bool) (value string, given bool, err error) {
	value, given = vars[name]
	delete(vars, name)
	path, inFile := vars[name+fileSuffix]
	if !inFile || !inFileToo {
		return value, given, nil
	}
	delete(vars, name+fileSuffix)
	if given {
		return "", false, fmt.Errorf("give this or %s, not both", name+fileSuffix)
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
