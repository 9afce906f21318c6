package docs

import (
	"html"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"casbroker/web"
)

var siteOnce = sync.OnceValues(func() (map[string]file, error) { return newSite(web.Docs, web.OpenAPI) })

func pages(t *testing.T) map[string]file {
	t.Helper()
	files, err := siteOnce()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var tags = regexp.MustCompile(`<[^>]*>`)

// plain returns the text of a page as a reader sees it.
func plain(text []byte) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(string(text), " "))), " ")
}

// section returns the part of a page that has an id, up to the next section.
func section(page file, id string) string {
	_, rest, found := strings.Cut(string(page.body), `id="`+id+`"`)
	if !found {
		return ""
	}
	part, _, _ := strings.Cut(rest, "<section")
	return plain([]byte("<" + part))
}

// TestReferenceHasAllOfTheDescription reads openapi.yaml with another parser.
func TestReferenceHasAllOfTheDescription(t *testing.T) {
	t.Parallel()
	api, err := openapi3.NewLoader().LoadFromData(web.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	files := pages(t)
	calls := 0
	for path, item := range api.Paths.Map() {
		for method, op := range item.Operations() {
			calls++
			page, text := files[apiPath+op.Tags[0]], section(files[apiPath+op.Tags[0]], op.OperationID)
			want := []string{method, path, op.Summary}
			for _, p := range append(item.Parameters, op.Parameters...) {
				if p.Value.Name != "X-Request-ID" {
					want = append(want, p.Value.Name+" in the "+p.Value.In)
				}
			}
			if op.RequestBody != nil {
				want = append(want, "Body")
				for media := range op.RequestBody.Value.Content {
					want = append(want, media)
				}
			}
			for status, answer := range op.Responses.Map() {
				want = append(want, status)
				for _, media := range answer.Value.Content {
					for name := range schemasOf(media.Schema) {
						if section(page, name) == "" && status < "4" {
							t.Errorf("%s: the page does not have the object %s", op.OperationID, name)
						}
					}
				}
			}
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("%s: the reference does not have %q", op.OperationID, w)
				}
			}
		}
	}
	if calls < 60 {
		t.Errorf("got %d calls, want all", calls)
	}
	shared := plain(files[sharedPath].body)
	for name, answer := range api.Components.Responses {
		for _, code := range regexp.MustCompile("`([a-z]+_[a-z_]+)`").FindAllStringSubmatch(*answer.Value.Description, -1) {
			if problem := answer.Value.Content["application/problem+json"]; problem != nil && !strings.Contains(shared, code[1]) {
				t.Errorf("the error %s of %s is not in the reference", code[1], name)
			}
		}
	}
}

// schemasOf returns the objects that a schema names at its top.
func schemasOf(s *openapi3.SchemaRef) map[string]bool {
	all := map[string]bool{}
	if s == nil {
		return all
	}
	if name := strings.TrimPrefix(s.Ref, "#/components/schemas/"); name != s.Ref && len(s.Value.Properties) > 0 {
		all[name] = true
	}
	if s.Value != nil && s.Value.Items != nil {
		for name := range schemasOf(s.Value.Items) {
			all[name] = true
		}
	}
	return all
}

func TestEveryLinkOfThePagesWorks(t *testing.T) {
	t.Parallel()
	files := pages(t)
	link, id := regexp.MustCompile(` href="([^"]*)"`), regexp.MustCompile(` id="([^"]*)"`)
	ids := map[string]map[string]bool{}
	for path, f := range files {
		ids[path] = map[string]bool{}
		for _, m := range id.FindAllStringSubmatch(string(f.body), -1) {
			if ids[path][m[1]] {
				t.Errorf("%s has the id %s twice", path, m[1])
			}
			ids[path][m[1]] = true
		}
	}
	elsewhere := []string{"https://", "data:", "/openapi.yaml", "/connect"}
	for path, f := range files {
		if !strings.HasPrefix(f.media, "text/html") {
			continue
		}
	links:
		for _, m := range link.FindAllStringSubmatch(string(f.body), -1) {
			for _, prefix := range elsewhere {
				if strings.HasPrefix(m[1], prefix) {
					continue links
				}
			}
			target, fragment, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			if target == "" {
				target = path
			}
			if _, ok := files[target]; !ok {
				t.Errorf("%s links to %s, which is not there", path, m[1])
			} else if fragment != "" && !ids[target][fragment] {
				t.Errorf("%s links to %s, which has no such part", path, m[1])
			}
		}
	}
}

func TestEveryTagSaysWhoCalls(t *testing.T) {
	t.Parallel()
	spec, err := newSpec(web.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range spec.groups(newFormatter(nil)) {
		for _, g := range c.Groups {
			if c.Name != g.Callers {
				t.Errorf("the tag %s of openapi.yaml has x-callers %q, want one of %q", g.Name, g.Callers, callers)
			}
		}
	}
}

func TestEveryGuideIsListed(t *testing.T) {
	t.Parallel()
	paths, err := fs.Glob(web.Docs, "guides/*.md")
	if err != nil || len(paths) != len(guides) {
		t.Errorf("got %v (%v), want the guides %v", paths, err, guides)
	}
	home := string(pages(t)[homePath].body)
	for _, name := range guides {
		if !strings.Contains(home, `href="/docs/`+name+`"`) {
			t.Errorf("%s is not on the first page", name)
		}
	}
}

func TestExamplesOfTheReferenceAreJSON(t *testing.T) {
	t.Parallel()
	n, err := parseYAML([]byte(`{a: {b: [1, "two", null, 1.50], "long": "` + strings.Repeat("x", 90) + `"}, empty: {}, none: []}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"a\": {\n    \"b\": [1, \"two\", null, 1.5],\n    \"long\": \"" + strings.Repeat("x", 90) + "\"\n  },\n  \"empty\": {},\n  \"none\": []\n}"
	if got := example(n); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestDocumentsNameWhatExists holds llms.txt and the guides to the API and the settings.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	spec, err := newSpec(web.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../config/broker.yaml")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := parseYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	for _, m := range spec.root.get("paths").members() {
		paths[m.name] = true
	}
	called, setting := regexp.MustCompile("`(GET|POST|PUT|DELETE) (/[^`?]*)[?`]"), regexp.MustCompile("`([a-z_]+(?:\\.[a-z_]+)+)[`:]")
	checked := 0
	for path, f := range pages(t) {
		if !strings.HasSuffix(path, ".md") && path != llmsPath {
			continue
		}
		for _, m := range called.FindAllStringSubmatch(string(f.body), -1) {
			if checked++; spec.calls[m[1]+" "+m[2]] == "" && !strings.HasPrefix(m[2], "/api/") { // the app's own
				t.Errorf("%s names %s %s, which the API does not have", path, m[1], m[2])
			}
		}
		for _, m := range setting.FindAllStringSubmatch(string(f.body), -1) {
			names := strings.Split(m[1], ".")
			if !settings.get(names[0]).exists() || strings.Contains(string(web.OpenAPI), "- "+m[1]+"\n") {
				continue // no setting, or an event of the API
			}
			if checked++; !hasSetting(settings, names) {
				t.Errorf("%s names the setting %s, which config/broker.yaml does not have", path, m[1])
			}
		}
	}
	if checked < 40 {
		t.Errorf("got %d calls and settings, want all", checked)
	}
}

// hasSetting reports whether settings have a member at names.
func hasSetting(n node, names []string) bool {
	for i, name := range names {
		members := n.members()
		at := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		if at < 0 {
			return false
		}
		if n = members[at].node; i < len(names)-1 && len(n.items()) > 0 {
			n = n.items()[0]
		}
	}
	return true
}

// TestAssistantsLearnOfEveryGroupOfCalls looks for a call of each group that apps use in llms.txt.
func TestAssistantsLearnOfEveryGroupOfCalls(t *testing.T) {
	t.Parallel()
	spec, err := newSpec(web.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	facts := string(pages(t)[llmsPath].body)
	for _, c := range spec.groups(newFormatter(nil)) {
		if c.Name != "Your page" && c.Name != "Your back end" {
			continue
		}
		for _, g := range c.Groups {
			named := func(o operation) bool {
				return strings.Contains(facts, strings.NewReplacer("/{subject}", "", "/{id}", "").Replace(o.Path))
			}
			if !slices.ContainsFunc(g.Operations, named) {
				t.Errorf("llms.txt names no call of %s", g.Name)
			}
		}
	}
}
