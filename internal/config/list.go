package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

// Entry is a setting and its value.
type Entry struct {
	Key     string // "auth.verifiers[0].issuer"
	Value   string // as written in a settings file; "[secret]" for a secret that is set
	Words   string // what Value means, such as "15 minutes" or "off"
	Default bool   // the value is that of Default; in an element of a list, that of a new one
}

// List returns all settings in the order of Config, with secrets hidden.
func (c *Config) List() []Entry {
	shown, defaults := *c, Default()
	hideCredentials("", reflect.ValueOf(&shown).Elem())
	return list(nil, "", reflect.ValueOf(&shown).Elem(), reflect.ValueOf(&defaults).Elem())
}

// list appends the entry of v, the setting called key, or those of its fields and
// elements. standard is the default of v.
func list(entries []Entry, key string, v, standard reflect.Value) []Entry {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name := strings.TrimPrefix(key+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
			entries = list(entries, name, v.Field(i), standard.Field(i))
		}
	case isStructs(v) && v.Len() > 0:
		for i := range v.Len() {
			entries = list(entries, fmt.Sprintf("%s[%d]", key, i), v.Index(i), newElement(v.Type().Elem()))
		}
	default:
		isDefault := reflect.DeepEqual(v.Interface(), standard.Interface())
		entries = append(entries, Entry{Key: key, Value: format(v), Words: words(key, v), Default: isDefault})
	}
	return entries
}

// Changes returns the keys of the settings that differ in next. A list of another length is one
// key.
func (c *Config) Changes(next Config) []string {
	return changes(nil, "", reflect.ValueOf(c).Elem(), reflect.ValueOf(&next).Elem())
}

// changes appends the keys of what differs in v and next, the setting called key.
func changes(keys []string, key string, v, next reflect.Value) []string {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name := strings.TrimPrefix(key+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
			keys = changes(keys, name, v.Field(i), next.Field(i))
		}
	case isStructs(v) && v.Len() == next.Len():
		for i := range v.Len() {
			keys = changes(keys, fmt.Sprintf("%s[%d]", key, i), v.Index(i), next.Index(i))
		}
	case v.Kind() == reflect.Slice && v.Len() == 0 && next.Len() == 0:
	case !reflect.DeepEqual(v.Interface(), next.Interface()):
		keys = append(keys, key)
	}
	return keys
}

// format returns the text of a single setting. Secrets hide themselves in MarshalText.
func format(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler:
		if text, err := x.MarshalText(); err == nil {
			return string(text)
		}
		return ""
	case []string:
		return strings.Join(x, ", ")
	default:
		if v.Kind() == reflect.Slice { // an empty list of structs
			return ""
		}
		return fmt.Sprint(x)
	}
}
