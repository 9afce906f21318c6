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

// file sets settings from a YAML document and collects what is wrong with it.
type file struct {
	path   string
	faults []error
}

// readFile sets what the file at path says. The error names all of its faults by
// line and key, or the one for which it cannot be read at all.
func (c *Config) readFile(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return fmt.Errorf("%s: %s", path, withoutSource(err))
	}
	f := file{path: path}
	for i, document := range parsed.Docs {
		if i > 0 {
			f.wrong(document, "", "want one document, and nothing behind ---")
			continue
		}
		f.set("", document.Body, reflect.ValueOf(c).Elem())
	}
	return errors.Join(f.faults...)
}

// withoutSource returns what is wrong and where, without the lines around it,
// which the library shows and which may hold secrets.
func withoutSource(err error) string {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return fmt.Sprintf("line %d: %s", e.GetToken().Position.Line, e.GetMessage())
	}
	return "this is not YAML"
}

// wrong notes a fault of the key at node.
func (f *file) wrong(node ast.Node, key, format string, args ...any) {
	where := f.path
	if at := node.GetToken(); at != nil {
		where += ": line " + strconv.Itoa(at.Position.Line)
	}
	if key != "" {
		where += ": " + key
	}
	f.faults = append(f.faults, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// set gives v, which is called key, what node says. A node that says nothing
// leaves it as it is.
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
			f.wrong(node, key, "want %s", wanted(v.Type()))
		}
	}
}

// isStructs reports whether v is a list of structs.
func isStructs(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct
}

func (f *file) setFields(key string, node ast.Node, v reflect.Value) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		f.wrong(node, key, "want keys below this one")
		return
	}
	for pairs := mapping.MapRange(); pairs.Next(); {
		name := pairs.Key().String()
		below := strings.TrimPrefix(key+"."+name, ".")
		if field := fieldOf(v, name); field.IsValid() {
			f.set(below, pairs.Value(), field)
		} else {
			f.wrong(pairs.Key(), below, "there is no such setting")
		}
	}
}

// fieldOf returns the field of v that the file calls name, or the zero Value.
func fieldOf(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

func (f *file) setList(key string, node ast.Node, v reflect.Value) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		f.wrong(node, key, "want a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		f.set(fmt.Sprintf("%s[%d]", key, i), item, v.Index(i))
	}
}
