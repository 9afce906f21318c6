package sandbox

import (
	"bytes"
	"embed"
	"encoding/json"
	"slices"
	"strings"
)

// source is the issuer of a statement.
type source string

const (
	cdsl     source = "cdsl"
	nsdl     source = "nsdl"
	cams     source = "cams"
	kfintech source = "kfintech"
)

var allSources = []source{cdsl, nsdl, cams, kfintech}

// sender returns the fictional address of the source's mails.
func (s source) sender() string { return "statements@" + string(s) + ".example" }

func isSource(name string) bool { return slices.Contains(allSources, source(name)) }

// detectSource returns the source whose name comes first in text, ignoring case, or
// "" when there is none.
func detectSource(text []byte) source {
	text = bytes.ToLower(text)
	var first source
	for _, s := range allSources {
		if i := bytes.Index(text, []byte(s)); i >= 0 {
			text, first = text[:i], s
		}
	}
	return first
}

//go:embed statements/*.json
var statementFiles embed.FS

// sample returns the file of that name in the folder statements. It panics when there
// is none, as the names are fixed.
func sample(name string) json.RawMessage {
	b, err := statementFiles.ReadFile("statements/" + name + ".json")
	if err != nil {
		panic("sandbox: " + err.Error())
	}
	return b
}

// fileName returns the vendor's name for a fetched or mailed statement.
func (s source) fileName(day, id string) string {
	return strings.Join([]string{string(s), day, id}, "_") + ".pdf"
}
