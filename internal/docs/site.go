package docs

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// URLs of the pages.
const (
	homePath   = "/docs/"
	apiPath    = homePath + "api/"
	sharedName = "shared"
	sharedPath = apiPath + sharedName
	stylePath  = homePath + "docs.css"
	llmsPath   = "/llms.txt"
)

// guides are the guides in the order in which they are listed, without ".md".
var guides = []string{
	"plain-page", "react", "nextjs", "vue", "mobile", "back-end", "cookie-sessions", "csp", "hosted-link", "results",
}

// callers are the values of x-callers in openapi.yaml, in the order of the contents; the last is
// for any other value.
var callers = []string{"Your page", "Your back end", "Your operators", "Load balancers and tools", "CAS Parser", "The hosted link", "The demo", "Others"}

// file is what is served at one URL.
type file struct {
	media string
	body  []byte
}

// guide is a page of Markdown.
type guide struct {
	Name, Title, Lead string
	Body              template.HTML
}

// site has all that pages link to.
type site struct {
	Guides  []guide
	Callers []callersGroups
}

type callersGroups struct {
	Name   string
	Groups []group
}

// view is what a page is rendered with.
type view struct {
	Site  site
	Title string
	Path  string
	Body  any
}

// newSite returns all files by URL.
func newSite(pages fs.FS, openAPI []byte) (map[string]file, error) {
	spec, err := newSpec(openAPI)
	if err != nil {
		return nil, err
	}
	format := newFormatter(spec.calls)
	files := map[string]file{}
	var all site
	for _, name := range guides {
		g, text, err := readGuide(pages, format, name)
		if err != nil {
			return nil, err
		}
		all.Guides = append(all.Guides, g)
		files[homePath+name+".md"] = file{"text/markdown; charset=utf-8", text}
	}
	all.Callers = spec.groups(format)
	style, err := fs.ReadFile(pages, "docs.css")
	if err != nil {
		return nil, err
	}
	facts, err := fs.ReadFile(pages, "llms.txt")
	if err != nil {
		return nil, err
	}
	files[stylePath] = file{"text/css; charset=utf-8", style}
	files[llmsPath] = file{"text/plain; charset=utf-8", bytes.Replace(facts, []byte("GUIDES\n"), all.listGuides(), 1)}
	return files, all.render(pages, files, spec.shared(format))
}

// listGuides returns the list of guides in llms.txt.
func (s site) listGuides() []byte {
	var b bytes.Buffer
	for _, g := range s.Guides {
		_, _ = fmt.Fprintf(&b, "- [%s](%s%s.md): %s\n", g.Title, homePath, g.Name, g.Lead)
	}
	return b.Bytes()
}

// render adds the HTML pages to files.
func (s site) render(pages fs.FS, files map[string]file, common shared) error {
	templates, err := template.New("").Funcs(template.FuncMap{"words": words}).ParseFS(pages, "*.html")
	if err != nil {
		return err
	}
	add := func(name string, v view) {
		var b bytes.Buffer
		v.Site = s
		if renderErr := templates.ExecuteTemplate(&b, name, v); renderErr != nil && err == nil {
			err = renderErr
		}
		files[v.Path] = file{"text/html; charset=utf-8", b.Bytes()}
	}
	add("home.html", view{Title: "Documentation", Path: homePath})
	add("calls.html", view{Title: "API reference", Path: apiPath})
	add("shared.html", view{Title: "Authentication, errors, headers", Path: sharedPath, Body: common})
	for _, g := range s.Guides {
		add("guide.html", view{Title: g.Title, Path: homePath + g.Name, Body: g})
	}
	for _, c := range s.Callers {
		for _, g := range c.Groups {
			add("group.html", view{Title: g.Title, Path: apiPath + g.Name, Body: g})
		}
	}
	return err
}

// groups returns the groups of calls by who calls.
func (s *spec) groups(format *formatter) []callersGroups {
	all := make([]callersGroups, len(callers))
	for i, name := range callers {
		all[i].Name = name
	}
	for _, tag := range s.root.get("tags").items() {
		g := s.group(format, tag)
		i := slices.Index(callers, g.Callers)
		if i < 0 {
			i = len(callers) - 1
		}
		all[i].Groups = append(all[i].Groups, g)
	}
	return slices.DeleteFunc(all, func(c callersGroups) bool { return len(c.Groups) == 0 })
}

// readGuide returns a guide and its text. The first line is its title, the first paragraph
// its lead, which the list of guides has, too.
func readGuide(pages fs.FS, format *formatter, name string) (guide, []byte, error) {
	text, err := fs.ReadFile(pages, "guides/"+name+".md")
	if err != nil {
		return guide{}, nil, err
	}
	title, rest, _ := strings.Cut(string(text), "\n")
	title, isTitle := strings.CutPrefix(title, "# ")
	lead, body, hasBody := strings.Cut(strings.TrimSpace(rest), "\n\n")
	if !isTitle || !hasBody {
		return guide{}, nil, fmt.Errorf("guides/%s.md: want a title and a paragraph first", name)
	}
	return guide{Name: name, Title: title, Lead: strings.ReplaceAll(lead, "\n", " "), Body: format.html(body)}, text, nil
}

// inName is where a word begins in a name such as TooManyRequests.
var inName = regexp.MustCompile(`([a-z])([A-Z])`)

// words returns a name as words: "Too many requests".
func words(name string) string {
	spaced := inName.ReplaceAllString(name, "$1 $2")
	return spaced[:1] + strings.ToLower(spaced[1:])
}

// firstSentence returns the first sentence of a description as text.
func firstSentence(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "`", "")
	first, _, _ := strings.Cut(text+" ", ". ")
	return strings.TrimSpace(first)
}
