package docs

import (
	"html/template"
	"slices"
	"strings"
)

// object is a schema with a name.
type object struct {
	Name        string
	Description template.HTML
	Type        template.HTML // if it has no fields
	Example     string
	Fields      []field
}

// field is a member of an object, a field of a form or a parameter. Name is a path for a
// member of an object without a name: "period.from", "rows[].isin".
type field struct {
	Name, In    string
	Required    bool
	Type        template.HTML
	Description template.HTML
	Example     string
}

// objectOf returns a named schema.
func (p *page) objectOf(name string, schema node) object {
	o := object{
		Name: name, Description: p.markdown(p.describe(schema)), Example: example(schema.get("example")),
		Fields: p.fields("", schema),
	}
	if len(o.Fields) == 0 {
		o.Type = p.typeOf(schema)
	}
	return o
}

// describe returns the description of a schema, or that of the named scalar which it refers to.
func (p *page) describe(schema node) string {
	if text := schema.get("description").text(); text != "" {
		return text
	}
	if named, name := p.spec.resolve(schema); name != "" && !p.spec.hasPage(named) {
		return p.describe(named)
	}
	if all := schema.get("allOf").items(); len(all) == 1 {
		return p.describe(all[0])
	}
	return ""
}

// fields returns the members of a schema, and of the objects without a name in it. prefix is
// the path of the schema.
func (p *page) fields(prefix string, schema node) (all []field) {
	properties, required := p.spec.properties(schema)
	for _, m := range properties {
		name := prefix + m.name
		all = append(all, field{
			Name: name, Required: slices.Contains(required, m.name),
			Type: p.typeOf(m.node), Description: p.markdown(p.describe(m.node)), Example: example(m.node.get("example")),
		})
		inner, path := m.node, name
		for inner.get("items").exists() {
			inner, path = inner.get("items"), path+"[]"
		}
		if values := inner.get("additionalProperties"); len(values.members()) > 0 {
			inner, path = values, path+".*"
		}
		if inner.get("properties").exists() {
			all = append(all, p.fields(path+".", inner)...)
		}
	}
	return all
}

// properties returns the properties of a schema, with those of the schemas that it is made of.
func (s *spec) properties(schema node) (all []member, required []string) {
	schema, _ = s.resolve(schema)
	for _, part := range slices.Concat(schema.get("allOf").items(), schema.get("oneOf").items()) {
		more, needed := s.properties(part)
		for _, m := range more {
			i := slices.IndexFunc(all, func(a member) bool { return a.name == m.name })
			switch {
			case i < 0:
				all = append(all, m)
			case schema.get("allOf").exists():
				all[i] = m // the later part narrows it
			}
		}
		required = append(required, needed...)
	}
	return append(all, schema.get("properties").members()...), append(required, schema.get("required").texts()...)
}

// hasPage reports whether a named schema is shown among the objects of a page; others are
// explained where they are used.
func (s *spec) hasPage(schema node) bool {
	properties, _ := s.properties(schema)
	return len(properties) > 0
}

// typeOf returns what a schema allows, with links to the objects that it names.
func (p *page) typeOf(schema node) template.HTML {
	if named, name := p.spec.resolve(schema); name != "" {
		if !p.spec.hasPage(named) {
			return p.typeOf(named)
		}
		p.mention(name)
		return template.HTML(`<a href="#` + name + `">` + name + `</a>`) //nolint:gosec // the name of a schema of ours
	}
	if all := schema.get("allOf").items(); len(all) == 1 && !schema.get("properties").exists() {
		return p.typeOf(all[0])
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if some := schema.get(key).items(); len(some) > 0 {
			var kinds []string
			for _, one := range some {
				if kind := string(p.typeOf(one)); !slices.Contains(kinds, kind) {
					kinds = append(kinds, kind)
				}
			}
			return template.HTML(strings.Join(kinds, " or ")) //nolint:gosec // made of typeOf
		}
	}
	text := p.kindOf(schema)
	if rules := rulesOf(schema); rules != "" {
		text += ", " + template.HTML(template.HTMLEscapeString(rules)) //nolint:gosec // escaped
	}
	if schema.get("nullable").bool() && text != "null" {
		text += " or null"
	}
	return text
}

// kindOf returns the type of a schema without its rules.
func (p *page) kindOf(schema node) template.HTML {
	values := schema.get("enum").texts()
	switch kind := schema.get("type").text(); {
	case kind == "array":
		return "list of " + p.typeOf(schema.get("items"))
	case len(schema.get("additionalProperties").members()) > 0:
		return "object of " + p.typeOf(schema.get("additionalProperties"))
	case len(values) == 1 && values[0] == "":
		return "null"
	case len(values) > 0:
		for i, v := range values {
			values[i] = "<code>" + template.HTMLEscapeString(v) + "</code>"
		}
		return template.HTML(strings.Join(values, " · ")) //nolint:gosec // escaped
	case schema.get("format").text() == "binary":
		return "file"
	case kind == "" && (schema.get("properties").exists() || schema.get("allOf").exists()):
		return "object"
	case kind == "":
		return "any value"
	default:
		return template.HTML(template.HTMLEscapeString(kind)) //nolint:gosec // escaped
	}
}

// rulesOf returns the limits of a schema in words.
func rulesOf(schema node) string {
	var rules []string
	if f := schema.get("format").text(); f != "" && f != "binary" {
		rules = append(rules, f)
	}
	for _, limit := range []struct{ least, most, unit string }{
		{"minimum", "maximum", ""}, {"minLength", "maxLength", " characters"},
		{"minItems", "maxItems", " items"}, {"minProperties", "maxProperties", " members"},
	} {
		least, most := schema.get(limit.least).text(), schema.get(limit.most).text()
		switch {
		case least != "" && most != "":
			rules = append(rules, least+" to "+most+limit.unit)
		case least != "":
			rules = append(rules, least+limit.unit+" or more")
		case most != "":
			rules = append(rules, "up to "+most+limit.unit)
		}
	}
	if v := schema.get("default").text(); v != "" {
		rules = append(rules, "default "+v)
	}
	if v := schema.get("pattern").text(); v != "" {
		rules = append(rules, v)
	}
	return strings.Join(rules, ", ")
}
