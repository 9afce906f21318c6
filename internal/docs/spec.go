package docs

import (
	"fmt"
	"html/template"
	"strings"
)

// spec is an OpenAPI description.
type spec struct {
	root  node
	calls map[string]string // URLs of calls, by "POST /v1/token"
}

// group is a page of the reference: the calls of one tag.
type group struct {
	Name, Title string
	Callers     string // who calls, the value of x-callers
	Lead        string // the first sentence of Description
	Description template.HTML
	Operations  []operation
	Objects     []object
}

// operation is one call.
type operation struct {
	ID, Method, Path, Summary string

	Description template.HTML
	Auth        []link
	Parameters  []field
	Body        *body
	Answers     []answer
	Errors      []answer
}

type link struct{ Text, URL string }

// body is what a request or an answer has.
type body struct {
	Required bool
	Contents []content
}

type content struct {
	Media   string
	Type    template.HTML
	Fields  []field
	Example string
}

// answer is one answer to a call.
type answer struct {
	Status, Name string // Name is that of a shared answer, or ""
	Description  template.HTML
	Headers      []link
	Body         body
}

// methods are the members of a path that are calls, in the order of the reference.
var methods = []string{"get", "post", "put", "patch", "delete"}

func newSpec(text []byte) (*spec, error) {
	root, err := parseYAML(text)
	if err != nil {
		return nil, fmt.Errorf("the API's description: %w", err)
	}
	s := &spec{root: root, calls: map[string]string{}}
	for _, path := range root.get("paths").members() {
		for _, method := range methods {
			if op := path.node.get(method); op.exists() {
				s.calls[strings.ToUpper(method)+" "+path.name] = apiPath + op.get("tags").texts()[0] + "#" + op.get("operationId").text()
			}
		}
	}
	return s, nil
}

// resolve follows the reference of n, and returns the name of what it refers to; "" if n is
// no reference.
func (s *spec) resolve(n node) (target node, name string) {
	ref := n.get("$ref").text()
	if ref == "" {
		return n, ""
	}
	path := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
	target, _ = s.resolve(s.root.get(path...))
	return target, path[len(path)-1]
}

// page collects the objects that a page of the reference mentions.
type page struct {
	spec      *spec
	format    *formatter
	mentioned []string // names of schemas, in the order in which they are mentioned
	known     map[string]bool
}

func (s *spec) newPage(f *formatter) *page {
	return &page{spec: s, format: f, known: map[string]bool{}}
}

func (p *page) mention(name string) {
	if !p.known[name] {
		p.known[name] = true
		p.mentioned = append(p.mentioned, name)
	}
}

func (p *page) markdown(text string) template.HTML { return p.format.html(text) }

// objects returns the objects that the page mentions, with those that they mention.
func (p *page) objects() (all []object) {
	for i := 0; i < len(p.mentioned); i++ { // which grows
		name := p.mentioned[i]
		all = append(all, p.objectOf(name, p.spec.root.get("components", "schemas", name)))
	}
	return all
}

// group returns the page of a tag.
func (s *spec) group(f *formatter, tag node) group {
	p := s.newPage(f)
	name, description := tag.get("name").text(), tag.get("description").text()
	g := group{
		Name: name, Title: strings.ToUpper(name[:1]) + name[1:], Callers: tag.get("x-callers").text(),
		Description: p.markdown(description), Lead: firstSentence(description),
	}
	if name == "oauth" {
		g.Title = "OAuth"
	}
	for _, path := range s.root.get("paths").members() {
		for _, method := range methods {
			if op := path.node.get(method); op.exists() && op.get("tags").texts()[0] == name {
				g.Operations = append(g.Operations, p.operation(path, method, op))
			}
		}
	}
	g.Objects = p.objects()
	return g
}

func (p *page) operation(path member, method string, op node) operation {
	o := operation{
		ID: op.get("operationId").text(), Method: strings.ToUpper(method), Path: path.name, Summary: op.get("summary").text(),
		Description: p.markdown(op.get("description").text()), Auth: p.spec.auth(op),
	}
	for _, ref := range append(path.node.get("parameters").items(), op.get("parameters").items()...) {
		n, name := p.spec.resolve(ref)
		if name == "RequestID" {
			continue // of every call; on the page of what they share
		}
		o.Parameters = append(o.Parameters, field{
			Name: n.get("name").text(), In: n.get("in").text(), Required: n.get("required").bool(),
			Type: p.typeOf(n.get("schema")), Description: p.markdown(n.get("description").text()), Example: example(n.get("example")),
		})
	}
	if n, _ := p.spec.resolve(op.get("requestBody")); n.exists() {
		o.Body = &body{Required: n.get("required").bool(), Contents: p.contents(n)}
	}
	for _, m := range op.get("responses").members() {
		a := p.answer(m.name, m.node)
		if a.Status >= "4" && a.Name != "" {
			a.Description = template.HTML(strings.TrimSuffix(strings.TrimPrefix(string(a.Description), "<p>"), "</p>\n")) //nolint:gosec // ours
			o.Errors = append(o.Errors, a)
			continue
		}
		o.Answers = append(o.Answers, a)
	}
	return o
}

// auth returns the ways to authenticate a call.
func (s *spec) auth(op node) (all []link) {
	ways := op.get("security")
	if !ways.exists() {
		ways = s.root.get("security")
	}
	for _, way := range ways.items() {
		for _, m := range way.members() {
			all = append(all, link{m.name, sharedPath + "#auth-" + m.name})
		}
	}
	return all
}

func (p *page) answer(status string, ref node) answer {
	n, name := p.spec.resolve(ref)
	a := answer{Status: status, Name: name, Description: p.markdown(n.get("description").text())}
	for _, h := range n.get("headers").members() {
		if _, shared := p.spec.resolve(h.node); shared != "" {
			a.Headers = append(a.Headers, link{h.name, sharedPath + "#header-" + shared})
		}
	}
	if status < "4" || name == "" {
		a.Body.Contents = p.contents(n)
	}
	return a
}

// contents returns the forms that a body may have.
func (p *page) contents(n node) (all []content) {
	for _, m := range n.get("content").members() {
		schema := m.node.get("schema")
		c := content{Media: m.name, Type: p.typeOf(schema), Example: example(m.node.get("example"))}
		if _, name := p.spec.resolve(schema); name == "" {
			c.Fields = p.fields("", schema)
		}
		all = append(all, c)
	}
	return all
}

// shared is the page of what all calls share.
type shared struct {
	Schemes []object // ways to authenticate
	Errors  []answer
	Headers []field
	Request field // the header of the request's id
	Problem []object
}

func (s *spec) shared(f *formatter) shared {
	p := s.newPage(f)
	var all shared
	components := s.root.get("components")
	for _, m := range components.get("securitySchemes").members() {
		all.Schemes = append(all.Schemes, object{Name: m.name, Description: p.markdown(m.node.get("description").text())})
	}
	status := s.errorStatus()
	for _, m := range components.get("responses").members() {
		if status[m.name] != "" {
			a := p.answer(status[m.name], m.node)
			a.Name, a.Body.Contents = m.name, p.contents(m.node)
			all.Errors = append(all.Errors, a)
		}
	}
	for _, m := range components.get("headers").members() {
		n, _ := s.resolve(m.node)
		all.Headers = append(all.Headers, field{Name: m.name, Type: p.typeOf(n.get("schema")), Description: p.markdown(n.get("description").text()), Example: example(n.get("example"))})
	}
	n := components.get("parameters", "RequestID")
	all.Request = field{Name: n.get("name").text(), Type: p.typeOf(n.get("schema")), Description: p.markdown(n.get("description").text()), Example: example(n.get("example"))}
	all.Problem = p.objects()
	return all
}

// errorStatus returns the status of each shared error.
func (s *spec) errorStatus() map[string]string {
	all := map[string]string{}
	for _, path := range s.root.get("paths").members() {
		for _, method := range methods {
			for _, m := range path.node.get(method, "responses").members() {
				if _, name := s.resolve(m.node); name != "" && m.name >= "4" {
					all[name] = m.name
				}
			}
		}
	}
	return all
}
