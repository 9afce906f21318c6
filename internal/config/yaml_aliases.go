package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// aliases has the value of each alias of a document.
type aliases struct {
	values map[*ast.AliasNode]ast.Node
	pairs  map[ast.MapNode][]pair // those that were asked for: mappings can merge one many times
}

// findAliases returns the aliases of body. One without an anchor before it, or within the
// value of its anchor, is missing.
func findAliases(body ast.Node) aliases {
	found, anchors := map[*ast.AliasNode]ast.Node{}, map[string]ast.Node{}
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
	return aliases{found, map[ast.MapNode][]pair{}}
}

// resolve returns the value that node stands for: that of its anchor, or of the anchor that
// it names. It returns an error for an alias without an anchor.
func (a aliases) resolve(node ast.Node) (ast.Node, error) {
	for {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			value, ok := a.values[n]
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

// pairsOf returns the pairs of the mapping at node in their order, then those of the mappings
// that it merges (<<), unless they have the name of another one.
func (a aliases) pairsOf(node ast.Node) ([]pair, error) {
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
	if known, ok := a.pairs[mapping]; ok {
		return known, nil
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
	a.pairs[mapping] = own
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
		return a.pairsOf(node)
	}
	var all []pair
	for _, item := range list.Values {
		more, err := a.pairsOf(item)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}
