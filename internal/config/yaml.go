package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// byteOrderMark is what some editors write in front of a text.
var byteOrderMark = []byte("\uFEFF")

// parseYAML returns the documents of text that are not empty, without directives. The error has the line and
// nothing of the text but keys: the text may contain secrets.
func parseYAML(text []byte) ([]ast.Node, error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) || bytes.IndexByte(line, 0) >= 0 {
			return nil, fmt.Errorf("line %d: not a text in UTF-8", i+1)
		}
	}
	parsed, err := parse(text)
	if err != nil {
		return nil, err
	}
	var documents []ast.Node
	for _, d := range parsed.Docs {
		if d.Body != nil && d.Body.Type() != ast.DirectiveType {
			documents = append(documents, d.Body)
		}
	}
	return documents, nil
}

// errNoYAML is returned for a text that the library cannot say anything about.
var errNoYAML = errors.New("not valid YAML")

// parse calls the library's parser, which panics for some broken texts.
func parse(text []byte) (parsed *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errNoYAML
		}
	}()
	parsed, err = parser.ParseBytes(text, 0)
	return parsed, withoutSource(err)
}

// withoutSource returns the message and line of a parser error, without the lines around
// it, which the library shows and which may contain secrets.
func withoutSource(err error) error {
	var e yaml.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && e.GetToken() != nil:
		return fmt.Errorf("line %d: %s", e.GetToken().Position.Line, e.GetMessage())
	default:
		return errNoYAML
	}
}

// aliases has the value of each alias of a document.
type aliases map[*ast.AliasNode]ast.Node

// findAliases returns the aliases of body. One without an anchor before it, or within the
// value of its anchor, is missing.
func findAliases(body ast.Node) aliases {
	found, anchors := aliases{}, map[string]ast.Node{}
	var visit func(ast.Node)
	visit = func(node ast.Node) {
		switch n := node.(type) {
		case *ast.AnchorNode:
			visit(n.Value)
			anchors[n.Name.GetToken().Value] = n.Value
		case *ast.AliasNode:
			if value, ok := anchors[n.Value.GetToken().Value]; ok {
				found[n] = value
			}
		case *ast.TagNode:
			visit(n.Value)
		case *ast.MappingNode:
			for _, pair := range n.Values {
				visit(pair.Value)
			}
		case *ast.MappingValueNode:
			visit(n.Value)
		case *ast.SequenceNode:
			for _, item := range n.Values {
				visit(item)
			}
		}
	}
	visit(body)
	return found
}

// resolve returns the value that node stands for: that of its anchor, or of the anchor that
// it names. It returns an error for an alias without an anchor.
func (a aliases) resolve(node ast.Node) (ast.Node, error) {
	for {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			value, ok := a[n]
			if !ok {
				return nil, fmt.Errorf("there is no &%s before this", n.Value.GetToken().Value)
			}
			node = value
		default:
			return node, nil
		}
	}
}

// pair is a key of a mapping and its value.
type pair struct {
	name  string
	key   ast.Node
	value ast.Node
}

// errNoMapping is returned for a node that is not a mapping.
var errNoMapping = errors.New("want keys under this one")

// pairs returns the pairs of the mapping at node in their order, then those of the mappings
// that it merges (<<), unless they have the name of another one.
func (a aliases) pairs(node ast.Node) ([]pair, error) {
	node, err := a.resolve(node)
	if err != nil {
		return nil, err
	}
	if tag, ok := node.(*ast.TagNode); ok && tag.Start.Value == "!!map" {
		node = tag.Value
	}
	mapping, ok := node.(ast.MapNode)
	if !ok {
		return nil, errNoMapping
	}
	var own []pair
	var merged []ast.Node
	names := map[string]bool{}
	for each := mapping.MapRange(); each.Next(); {
		if each.Key().IsMergeKey() {
			merged = append(merged, each.Value())
			continue
		}
		p := pair{name: keyText(each.Key()), key: each.Key(), value: each.Value()}
		if names[p.name] {
			return nil, fmt.Errorf("%s is there twice", p.name)
		}
		names[p.name] = true
		own = append(own, p)
	}
	for _, from := range merged {
		more, err := a.merged(from)
		if err != nil {
			return nil, err
		}
		for _, p := range more {
			if !names[p.name] {
				names[p.name] = true
				own = append(own, p)
			}
		}
	}
	return own, nil
}

// merged returns the pairs of the mapping at node, or of a list of mappings, of which the
// first has precedence.
func (a aliases) merged(node ast.Node) ([]pair, error) {
	node, err := a.resolve(node)
	if err != nil {
		return nil, err
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return a.pairs(node)
	}
	var all []pair
	for _, item := range list.Values {
		more, err := a.pairs(item)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// keyText returns the text of a key, whether it is quoted or not.
func keyText(key ast.MapKeyNode) string {
	var node ast.Node = key
	if k, ok := node.(*ast.MappingKeyNode); ok { // ? key
		node = k.Value
	}
	if scalar, ok := node.(ast.ScalarNode); ok {
		return scalar.GetToken().Value
	}
	return strings.TrimSpace(key.String())
}

// scalarText returns the text of the scalar at node as it is written: 0123 and 1e3 are not
// numbers here, and yes is no more than a word.
func scalarText(node ast.Node) (string, bool) {
	if tag, ok := node.(*ast.TagNode); ok && tag.Start.Value == "!!str" {
		node = tag.Value
	}
	switch n := node.(type) {
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.TagNode:
		return "", false
	case ast.ScalarNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}
