package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
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
	if err := checkNesting(string(text)); err != nil {
		return nil, err
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

// maxNesting is how deep lists and mappings in one another may be.
const maxNesting = 100

// checkNesting returns an error for a text that is nested so deep that the parser, which
// calls itself for each level, could use up the stack. Levels that need an indented line of
// their own are not counted: the size of the file bounds them.
func checkNesting(text string) error {
	line, inLine, brackets := 0, 0, 0
	for _, t := range lexer.Tokenize(text) {
		if t.Position.Line != line {
			line, inLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			inLine++
		}
		if brackets+inLine > maxNesting {
			return fmt.Errorf("line %d: nested more than %d deep", line, maxNesting)
		}
	}
	return nil
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
