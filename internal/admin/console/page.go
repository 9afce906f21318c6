package console

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"casbroker/internal/admin/session"
)

// visit is one request of an operator.
type visit struct {
	*http.Request
	who session.Session
	now time.Time
	key string // what the path names: a subject, or the id of a grant
}

// reply is what a visit leads to: a page, or another place to go to. A reply with a
// page may come along with an error, which the page then shows above its form.
type reply struct {
	page  string // its template
	part  string // of the console, if the page belongs to several
	title string
	body  any
	to    string // where to go instead
	note  note   // what is to be said there
}

// frame is what templates are given.
type frame struct {
	Title   string
	Nav     string // the part of the console that the page belongs to
	Who     string // "" for nobody
	Demo    bool
	Version string
	Notice  *notice
	Problem *trouble
	Body    any
}

// Wrong reports whether the form's field is one that cannot be taken.
func (f frame) Wrong(field string) bool { return f.Problem != nil && f.Problem.fields["/"+field] }

// sheets are the templates of all pages, by name.
type sheets map[string]*template.Template

// bodies has each page with what it shows when there is nothing to show.
var bodies = map[string]any{
	"sign-in":    signInBody{},
	"overview":   overviewBody{},
	"users":      usersBody{},
	"user":       userBody{},
	"block":      blockBody{},
	"confirm":    confirmBody{},
	"revoke-all": revokeAllBody{},
	"grants":     grantsBody{},
	"grant":      grantBody{},
	"audit":      auditBody{},
	"settings":   settingsBody{},
	"problem":    problemBody{},
}

// partOf says which part of the console a page belongs to, if that has another name.
var partOf = map[string]string{"user": "users", "block": "users", "grant": "grants", "revoke-all": "grants"}

// readSheets reads the templates in pages and tries each.
func readSheets(pages fs.FS) (sheets, error) {
	base, err := template.New("console").Funcs(functions).ParseFS(pages, "layout.html", "parts.html")
	if err != nil {
		return nil, err
	}
	all := make(sheets, len(bodies))
	for name, body := range bodies {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(pages, name+".html")
		}
		if err == nil {
			err = t.ExecuteTemplate(io.Discard, "layout", frame{Title: name, Body: body})
		}
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		all[name] = t
	}
	return all, nil
}

// write makes the page called name.
func (s sheets) write(name string, f frame) ([]byte, error) {
	t := s[name]
	if t == nil {
		return nil, errors.New("there is no page " + name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", f); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// functions are what templates may call.
var functions = template.FuncMap{
	"machine":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"seconds":   func(t time.Time) string { return t.UTC().Format(toSecond) },
	"grouped":   grouped,
	"count":     func(n int) string { return grouped(int64(n)) },
	"plural":    plural,
	"decimal":   decimal,
	"named":     named,
	"actions":   func() []choice { return actions },
	"outcomes":  func() []choice { return outcomes },
	"states":    func() []choice { return states },
	"kinds":     func() []choice { return kinds },
	"userLink":  userLink,
	"grantLink": grantLink,
	"visible":   visible,
	"grantID":   func(object string) bool { return strings.HasPrefix(object, "gr_") },
	"pair":      func(a, b any) [2]any { return [2]any{a, b} },
}
