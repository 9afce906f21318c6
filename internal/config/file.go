package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// file reads settings from a YAML document and collects its errors.
type file struct {
	path string
	errs []error
}

// readFile overrides c with the settings in the file at path. The error has every
// invalid or unknown key with its line, or why the file cannot be read at all.
func (c *Config) readFile(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRead, err)
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return fmt.Errorf("%w: %s: %s", ErrNotRead, path, withoutSource(err))
	}
	f := file{path: path}
	for i, document := range parsed.Docs {
		if i > 0 {
			f.addError(document, "", "want one document, and nothing after ---")
			continue
		}
		f.set("", document.Body, reflect.ValueOf(c).Elem())
	}
	return errors.Join(f.errs...)
}

// withoutSource returns the message and line of a parser error, without the lines around
// it, which the library shows and which may contain secrets.
func withoutSource(err error) string {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return fmt.Sprintf("line %d: %s", e.GetToken().Position.Line, e.GetMessage())
	}
	return "not valid YAML"
}

// addError adds an error about key, which is at node.
func (f *file) addError(node ast.Node, key, format string, args ...any) {
	where := f.path
	if at := node.GetToken(); at != nil {
		where += ": line " + strconv.Itoa(at.Position.Line)
	}
	if key != "" {
		where += ": " + key
	}
	f.errs = append(f.errs, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// set sets v, the setting called key, to the value of node. An empty node leaves v
// unchanged.
func (f *file) set(key string, node ast.Node, v reflect.Value) {
	if node == nil || node.Type() == ast.NullType || node.Type() == ast.CommentGroupType {
		return
	}
	switch {
	case v.Kind() == reflect.Struct:
		f.setFields(key, node, v)
	case isStructs(v):
		f.setList(key, node, v)
	default:
		if yaml.NodeToValue(node, v.Addr().Interface()) != nil {
			f.addError(node, key, "want %s", wanted(v.Type()))
		}
	}
}

// isStructs reports whether v is a list of structs.
func isStructs(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct
}

// setFields sets the fields of the struct v from the mapping at node.
func (f *file) setFields(key string, node ast.Node, v reflect.Value) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		f.addError(node, key, "want keys under this one")
		return
	}
	for pairs := mapping.MapRange(); pairs.Next(); {
		name := pairs.Key().String()
		below := strings.TrimPrefix(key+"."+name, ".")
		if field := fieldOf(v, name); field.IsValid() {
			f.set(below, pairs.Value(), field)
		} else {
			f.addError(pairs.Key(), below, "there is no such setting")
		}
	}
}

// fieldOf returns the field of v with the YAML name name, or the zero Value.
func fieldOf(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// setList sets v, a list of structs, from the sequence at node.
func (f *file) setList(key string, node ast.Node, v reflect.Value) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		f.addError(node, key, "want a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(list.Values)))
	for i, item := range list.Values {
		v.Set(reflect.Append(v, newElement(v.Type().Elem())))
		f.set(fmt.Sprintf("%s[%d]", key, i), item, v.Index(i))
	}
}

// newElement returns a new element of a list of structs of type t, with its defaults.
func newElement(t reflect.Type) reflect.Value {
	element := reflect.New(t)
	if d, ok := element.Interface().(interface{ setDefaults() }); ok {
		d.setDefaults()
	}
	return element.Elem()
}
