package config_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"casbroker/internal/config"
)

// settingName is the name of a setting in a text, such as auth.verifiers[].issuer.
var settingName = regexp.MustCompile(`\b[a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)+`)

// settingNames adds the names of all settings below key, and of their groups, with [] after lists.
func settingNames(t reflect.Type, key string, to map[string]bool) {
	to[key], to[strings.TrimSuffix(key, "[]")] = true, true
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		settingNames(t.Elem(), key+"[]", to)
	case t.Kind() == reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name != "" && name != "-" {
				settingNames(f.Type, strings.TrimPrefix(key+"."+name, "."), to)
			}
		}
	}
}

func TestSettingsThatOperatorsAreToldOfExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	settingNames(reflect.TypeFor[config.Config](), "", known)
	sections := map[string]bool{}
	for name := range known {
		section, _, _ := strings.Cut(name, ".")
		sections[section] = true
	}
	files := map[string]int{"../admin/advice.go": 15, "../../config/monitoring/README.md": 15}
	for file, most := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a file of ours
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, name := range settingName.FindAllString(string(text), -1) {
			section, _, _ := strings.Cut(name, ".")
			if !sections[section] {
				continue // the name of a file or of an audit action
			}
			checked++
			if !known[name] {
				t.Errorf("%s names %s, which is no setting", file, name)
			}
		}
		if checked < most {
			t.Errorf("%s: checked %d names, want %d or more", file, checked, most)
		}
	}
	for _, name := range []string{"auth.issuer", "upstream.verifiers", "auth.verifiers.issuer"} {
		if known[name] {
			t.Errorf("%s counts as a setting", name)
		}
	}
}
