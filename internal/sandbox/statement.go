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

// generatedAt is the time in a sample that statement replaces.
const generatedAt = "2026-11-03T09:30:00.000000Z"

// timestamp is the vendor's form of a time: ISO 8601 in UTC with microseconds.
const timestamp = "2006-01-02T15:04:05.000000Z07:00"

// statement returns the statement of src of the investor with this persona id, of the first
// persona for "", generated now.
func (s *Sandbox) statement(src source, investor string) json.RawMessage {
	p, found := personaByID(investor)
	if !found {
		p = personas[0]
	}
	now := s.opts.Now().UTC().Format(timestamp)
	return bytes.Replace(statementOf(p, src), []byte(generatedAt), []byte(now), 1)
}

// statementOf returns the file of p's statement of src.
func statementOf(p Persona, src source) json.RawMessage { return sample(p.ID + "-" + string(src)) }

// totals are the parts of a statement that its PDF prints.
type totals struct {
	Meta struct {
		Period struct {
			From string `json:"from"`
			To   string `json:"to"`
		} `json:"statement_period"`
	} `json:"meta"`
	Summary struct {
		Total json.Number `json:"total_value"`
	} `json:"summary"`
}

// readTotals reads the file of p's statement of src. It panics when that is not valid JSON,
// as the files are fixed.
func readTotals(p Persona, src source) totals {
	var t totals
	if err := json.Unmarshal(statementOf(p, src), &t); err != nil {
		panic("sandbox: " + err.Error())
	}
	return t
}

// fileName returns the vendor's name for a fetched or mailed statement.
func (s source) fileName(day, id string) string {
	return strings.Join([]string{string(s), day, id}, "_") + ".pdf"
}
