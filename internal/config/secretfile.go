package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"casbroker/internal/secret"
)

// SecretFile is a file with a secret.
type SecretFile struct {
	Setting string // or the variable that names the file
	Path    string
}

// SecretFiles returns the files with secrets that the settings and the environment name.
// environ is that with which c was loaded.
func (c *Config) SecretFiles(environ []string) []SecretFile {
	var files []SecretFile
	walkSecrets("", reflect.ValueOf(c).Elem(), func(key string, parent, _ reflect.Value) {
		name := key[strings.LastIndexByte(key, '.')+1:]
		inSettings := fieldOf(parent, name+"_file")
		setting := key + "_file"
		if name == "key" && !inSettings.IsValid() { // seal.keys[].file
			inSettings, setting = fieldOf(parent, "file"), strings.TrimSuffix(key, "key")+"file"
		}
		if inSettings.IsValid() && inSettings.String() != "" {
			files = append(files, SecretFile{Setting: setting, Path: inSettings.String()})
			return
		}
		variable := variableOf(key) + fileSuffix
		for _, line := range environ {
			if path, ok := strings.CutPrefix(line, variable+"="); ok {
				files = append(files, SecretFile{Setting: variable, Path: path})
			}
		}
	})
	return files
}

// SecretsInFile returns the keys of the secrets in the settings file at path; none if it
// cannot be read.
func SecretsInFile(path string) []string {
	c := Default()
	_ = c.readFile(path) // what can be read is enough
	var keys []string
	walkSecrets("", reflect.ValueOf(&c).Elem(), func(key string, _, v reflect.Value) {
		url, isURL := v.Interface().(secret.URL)
		if isURL && len(url.Passwords()) > 0 || !isURL && v.String() != "" {
			keys = append(keys, key)
		}
	})
	return slices.Compact(keys)
}

// walkSecrets calls visit for each secret in v, the setting called key, and the struct that
// it is in; not for hashes of random keys, which reveal nothing.
func walkSecrets(key string, v reflect.Value, visit func(key string, parent, v reflect.Value)) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			below := strings.TrimPrefix(key+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
			if isSecret(v.Field(i).Type()) {
				if !strings.HasSuffix(below, "hash") {
					visit(below, v, v.Field(i))
				}
				continue
			}
			walkSecrets(below, v.Field(i), visit)
		}
	case isStructs(v):
		for i := range v.Len() {
			walkSecrets(key+"["+strconv.Itoa(i)+"]", v.Index(i), visit)
		}
	}
}
