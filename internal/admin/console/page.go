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

	"casbroker/internal/credit"
)

// request is a request of an operator.
type request struct {
	*http.Request
	now time.Time
	key string // from the path: a subject, the id of a grant, or the name of a budget or webhook
}

// reply is a page or a redirect. A page may come with an error, which is shown above its
// form.
type reply struct {
	page     string // name of the template
	nav      string // navigation entry, if the page belongs to several
	title    string
	body     any
	redirect string       // URL to redirect to instead
	notice   actionResult // to show there
}

// pageData is the data of a template.
type pageData struct {
	Title    string
	Nav      string // current entry of the navigation
	Operator string // "" if not signed in
	Demo     bool
	Version  string
	Notice   *notice
	Problem  *errorView
	Body     any
}

// Wrong reports whether the error is about this field of the form.
func (d pageData) Wrong(field string) bool { return d.Problem != nil && d.Problem.fields["/"+field] }

// templates are the templates of all pages by name.
type templates map[string]*template.Template

// emptyBodies has the zero body of each page.
var emptyBodies = map[string]any{
	"sign-in":    signInBody{},
	"overview":   overviewBody{},
	"users":      usersBody{},
	"user":       userBody{},
	"block":      blockBody{},
	"confirm":    confirmBody{},
	"revoke-all": revokeAllBody{},
	"grants":     grantsBody{},
	"grant":      grantBody{},
	"usage":      usageBody{},
	"webhooks":   webhooksBody{},
	"webhook":    webhookBody{},
	"raise":      raiseBody{},
	"audit":      auditBody{},
	"settings":   settingsBody{},
	"log-level":  logLevelBody{},
	"problem":    problemBody{},
}

// navOf has the navigation entries of pages that are named otherwise.
var navOf = map[string]string{"user": "users", "block": "users", "grant": "grants", "revoke-all": "grants", "raise": "usage", "log-level": "settings", "webhook": "webhooks"}

// parseTemplates parses the templates in pages and executes each once.
func parseTemplates(pages fs.FS) (templates, error) {
	base, err := template.New("console").Funcs(functions).ParseFS(pages, "layout.html", "parts.html")
	if err != nil {
		return nil, err
	}
	all := make(templates, len(emptyBodies))
	for name, body := range emptyBodies {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(pages, name+".html")
		}
		if err == nil {
			err = t.ExecuteTemplate(io.Discard, "layout", pageData{Title: name, Body: body})
		}
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		all[name] = t
	}
	return all, nil
}

// render returns the page called name.
func (t templates) render(name string, d pageData) ([]byte, error) {
	page := t[name]
	if page == nil {
		return nil, errors.New("there is no page " + name)
	}
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, "layout", d); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// functions are the functions of the templates.
var functions = template.FuncMap{
	"rfc3339":         func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"seconds":         func(t time.Time) string { return t.UTC().Format(secondLayout) },
	"grouped":         grouped,
	"count":           func(n int) string { return grouped(int64(n)) },
	"plural":          plural,
	"decimal":         decimal,
	"label":           label,
	"actions":         func() []choice { return actions },
	"outcomes":        func() []choice { return outcomes },
	"sources":         func() []choice { return sources },
	"states":          func() []choice { return states },
	"kinds":           func() []choice { return kinds },
	"periods":         func() []choice { return periods },
	"day":             func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"add":             func(a, b int64) int64 { return a + b },
	"sum":             func(a, b credit.Amount) credit.Amount { return a + b },
	"amount":          func(a credit.Amount) string { return decimal(a.String()) },
	"stages":          func() []choice { return stages },
	"callOutcomes":    func() []choice { return callOutcomes },
	"endings":         func() []choice { return endings },
	"userURL":         userURL,
	"grantURL":        grantURL,
	"webhookURL":      webhookURL,
	"webhookSources":  func() []choice { return webhookSources },
	"webhookReasons":  func() []choice { return webhookReasons },
	"webhookErrors":   func() []choice { return webhookErrors },
	"deliveryStates":  func() []choice { return deliveryStates },
	"milliseconds":    func(d time.Duration) string { return plural(int(d.Milliseconds()), "millisecond") },
	"escapeInvisible": escapeInvisible,
	"isGrant":         func(object string) bool { return strings.HasPrefix(object, "gr_") },
	"pair":            func(a, b any) [2]any { return [2]any{a, b} },
}
