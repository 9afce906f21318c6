package docs

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// lineWidth is how long a line of an example may be before it is broken into members.
const lineWidth = 84

// example returns n as readers want it: text as it is, all else as JSON, of which short lists
// and objects take one line.
func example(n node) string {
	if s, ok := n.value.(string); ok {
		return strings.TrimRight(s, "\n")
	}
	if !n.exists() {
		return ""
	}
	var b strings.Builder
	writeJSON(&b, n, "")
	return b.String()
}

func writeJSON(b *strings.Builder, n node, indent string) {
	short := compact(n)
	members, items := n.members(), n.items()
	if len(indent)+len(short) <= lineWidth || len(members)+len(items) == 0 {
		b.WriteString(short)
		return
	}
	inner := indent + "  "
	open, shut := "[", "]"
	if members != nil {
		open, shut = "{", "}"
	}
	b.WriteString(open)
	for i := range max(len(members), len(items)) {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n" + inner)
		if members != nil {
			b.WriteString(strconv.Quote(members[i].name) + ": ")
			writeJSON(b, members[i].node, inner)
		} else {
			writeJSON(b, items[i], inner)
		}
	}
	b.WriteString("\n" + indent + shut)
}

// compact returns n as JSON on one line.
func compact(n node) string {
	var parts []string
	switch v := n.value.(type) {
	case yaml.MapSlice:
		for _, m := range n.members() {
			parts = append(parts, strconv.Quote(m.name)+": "+compact(m.node))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		for _, item := range n.items() {
			parts = append(parts, compact(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case float64:
		return n.text()
	default:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // a scalar of YAML is one of JSON
		return strings.TrimSpace(b.String())
	}
}
