package docs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// node is a value in a YAML document: a mapping in its order, a list, a scalar or nothing.
type node struct{ value any }

type member struct {
	name string
	node node
}

func parseYAML(text []byte) (node, error) {
	var all yaml.MapSlice
	err := yaml.UnmarshalWithOptions(text, &all, yaml.UseOrderedMap())
	return node{all}, err
}

// get returns the value at a path of names, or nothing.
func (n node) get(path ...string) node {
	for _, name := range path {
		members, _ := n.value.(yaml.MapSlice)
		n = node{}
		for _, m := range members {
			if fmt.Sprint(m.Key) == name {
				n = node{m.Value}
				break
			}
		}
	}
	return n
}

func (n node) exists() bool { return n.value != nil }

// members returns the members of a mapping, in the order of the document.
func (n node) members() (all []member) {
	members, _ := n.value.(yaml.MapSlice)
	for _, m := range members {
		all = append(all, member{fmt.Sprint(m.Key), node{m.Value}})
	}
	return all
}

func (n node) items() (all []node) {
	items, _ := n.value.([]any)
	for _, v := range items {
		all = append(all, node{v})
	}
	return all
}

// text returns a scalar as text, "" for nothing.
func (n node) text() string {
	switch v := n.value.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strings.TrimSpace(fmt.Sprint(n.value))
}

func (n node) bool() bool { return n.value == true }

// texts returns the items of a list as text.
func (n node) texts() (all []string) {
	for _, item := range n.items() {
		all = append(all, item.text())
	}
	return all
}
