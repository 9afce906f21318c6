package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

// Entry is one setting in force.
type Entry struct {
	Key     string // "auth.verifiers[0].issuer"
	Value   string // as people write it; of secrets, only whether there is one
	Default bool   // it is what Default has; in an item of a list, it is left out
}

// List returns all settings in the order of the settings file, secrets hidden.
func (c *Config) List() []Entry {
	usual := Default()
	return list(nil, "", reflect.ValueOf(c).Elem(), reflect.ValueOf(&usual).Elem())
}

// list appends v, which is called key, and what lies below it. usual is the default of v.
func list(entries []Entry, key string, v, usual reflect.Value) []Entry {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name := strings.TrimPrefix(key+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
			entries = list(entries, name, v.Field(i), usual.Field(i))
		}
	case isStructs(v) && v.Len() > 0:
		for i := range v.Len() {
			entries = list(entries, fmt.Sprintf("%s[%d]", key, i), v.Index(i), reflect.Zero(v.Type().Elem()))
		}
	default:
		isUsual := reflect.DeepEqual(v.Interface(), usual.Interface())
		entries = append(entries, Entry{Key: key, Value: shown(v), Default: isUsual})
	}
	return entries
}

// shown writes a single setting; secrets hide themselves.
func shown(v reflect.Value) string {
	switch is := v.Interface().(type) {
	case encoding.TextMarshaler:
		if text, err := is.MarshalText(); err == nil {
			return string(text)
		}
		return ""
	case []string:
		return strings.Join(is, ", ")
	default:
		if v.Kind() == reflect.Slice { // a list of nothing
			return ""
		}
		return fmt.Sprint(is)
	}
}
