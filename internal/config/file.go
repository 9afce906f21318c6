package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// errUnknown is what is said about a key or variable that is not a setting.
const errUnknown = "there is no such setting"

// file reads settings from a YAML document and collects its errors.
type file struct {
	path    string
	aliases aliases
	errs    []error
}

// readFile overrides c with the settings in the file at path. The error has every
// invalid or unknown key with its line, or why the file cannot be read at all.
func (c *Config) readFile(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRead, err)
	}
	documents, err := parseYAML(text)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotRead, path, err)
	}
	f := file{path: path}
	for i, document := range documents {
		if i > 0 {
			f.addError(document, "", "want one document, and nothing after ---")
			continue
		}
		f.aliases = findAliases(document)
		f.set("", document, reflect.ValueOf(c).Elem())
	}
	return errors.Join(f.errs...)
}

// addError adds an error about key, which is at node.
func (f *file) addError(node ast.Node, key, format string, args ...any) {
	f.add(node, key, false, fmt.Sprintf(format, args...))
}

func (f *file) add(node ast.Node, key string, unknown bool, text string) {
	where := f.path
	if at := node.GetToken(); at != nil {
		where += ": line " + strconv.Itoa(at.Position.Line)
	}
	if key != "" {
		where += ": " + key
	}
	f.errs = append(f.errs, &keyError{variable: variableOf(key), unknown: unknown, text: where + ": " + text})
}

// set sets v, the setting called key, to the value of node. An empty node, null and ~ leave
// v unchanged.
func (f *file) set(key string, at ast.Node, v reflect.Value) {
	if at == nil {
		return
	}
	node, err := f.aliases.resolve(at)
	if err != nil {
		f.addError(at, key, "%v", err)
		return
	}
	if node == nil || node.Type() == ast.NullType || node.Type() == ast.CommentGroupType {
		return
	}
	switch {
	case v.Kind() == reflect.Struct:
		if short, ok := v.Addr().Interface().(interface{ setText(text string) }); ok {
			if text, ok := scalarText(node); ok {
				short.setText(text)
				return
			}
		}
		f.setFields(key, node, v)
	case v.Kind() == reflect.Slice:
		f.setList(key, node, v)
	case isText(v):
		text, ok := scalarText(node)
		if !ok || setText(v, text) != nil {
			f.addError(node, key, "want %s", wanted(v.Type()))
		}
	default:
		if yaml.NodeToValue(node, v.Addr().Interface()) != nil {
			f.addError(node, key, "want %s", wanted(v.Type()))
		}
	}
}

// isText reports whether v is read from a text by itself, as it is written.
func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok || v.Kind() == reflect.String
}

// setText sets v, for which isText is true.
func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	v.SetString(text)
	return nil
}

// isStructs reports whether v is a list of structs.
func isStructs(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct
}

// setFields sets the fields of the struct v from the mapping at node.
func (f *file) setFields(key string, node ast.Node, v reflect.Value) {
	pairs, err := f.aliases.pairsOf(node)
	if err != nil {
		f.addError(node, key, "%v", err)
		return
	}
	for _, p := range pairs {
		below := strings.TrimPrefix(key+"."+p.name, ".")
		if field := fieldOf(v, p.name); field.IsValid() {
			f.set(below, p.value, field)
		} else {
			f.add(p.key, below, true, errUnknown)
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

// setList sets v, a list of structs or of texts, from the sequence at node.
func (f *file) setList(key string, node ast.Node, v reflect.Value) {
	if tag, ok := node.(*ast.TagNode); ok && tag.Start.Value == "!!seq" {
		node = tag.Value
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		f.addError(node, key, "want %s", wanted(v.Type()))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(list.Values)))
	for i, item := range list.Values {
		v.Set(reflect.Append(v, newElement(v.Type().Elem())))
		element := fmt.Sprintf("%s[%d]", key, i)
		if !isStructs(v) && (item == nil || item.Type() == ast.NullType) {
			f.addError(node, element, "want %s", wanted(v.Type().Elem()))
			continue
		}
		f.set(element, item, v.Index(i))
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
