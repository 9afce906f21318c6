package sandbox

import (
	"bytes"
	"embed"
	"encoding/json"
	"slices"
	"strings"
)

// source is who issued a statement.
type source string

const (
	cdsl     source = "cdsl"
	nsdl     source = "nsdl"
	cams     source = "cams"
	kfintech source = "kfintech"
)

var everySource = []source{cdsl, nsdl, cams, kfintech}

// sender is the invented address that the source's mails come from.
func (s source) sender() string { return "statements@" + string(s) + ".example" }

func isSource(name string) bool { return slices.Contains(everySource, source(name)) }

// marked returns the source whose name comes first in text, in any case, or "".
func marked(text []byte) source {
	text = bytes.ToLower(text)
	var first source
	for _, s := range everySource {
		if i := bytes.Index(text, []byte(s)); i >= 0 {
			text, first = text[:i], s
		}
	}
	return first
}

//go:embed statements/*.json
var statementFiles embed.FS

// sample returns the JSON file of that name, as it stands in the folder
// statements. The names are ours, so a missing one is a broken build.
func sample(name string) json.RawMessage {
	b, err := statementFiles.ReadFile("statements/" + name + ".json")
	if err != nil {
		panic("sandbox: " + err.Error())
	}
	return b
}

// fileName is the name that the vendor gives a statement it fetched.
func (s source) fileName(day, id string) string {
	return strings.Join([]string{string(s), day, id}, "_") + ".pdf"
}
