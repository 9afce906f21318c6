package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// filesPath is where the URLs in the API's answers are served.
const filesPath = "/_sandbox/files/"

// file is a statement that can be downloaded for a while.
type file struct {
	source  source
	name    string
	day     string // the day that its text names
	expires time.Time
}

// keepFile puts a statement up for download and returns its URL and its size in bytes.
func (s *Sandbox) keepFile(base string, f file) (link string, size int) {
	id := newID("")
	s.files.put(id, f)
	return base + filesPath + id + "/" + url.PathEscape(f.name), len(f.pdf())
}

func (s *Sandbox) openFile(id string) (file, error) {
	f, found := s.files.get(id)
	if !found || !s.opts.Now().Before(f.expires) {
		return file{}, missing("File")
	}
	return f, nil
}

func (f file) pdf() []byte {
	lines := []string{
		"Consolidated Account Statement", "Source: " + strings.ToUpper(string(f.source)),
		"This is a fictional sample: nobody in it exists and nothing in it was ever traded.",
	}
	if f.day != "" {
		lines = append(lines, "Dated "+f.day)
	}
	return onePage(lines)
}

func (s *Sandbox) serveFile(w http.ResponseWriter, r *http.Request) {
	f, err := s.openFile(r.PathValue("id"))
	if err != nil {
		s.writeError(w, err)
		return
	}
	writePDF(w, f)
}

// serveSample gives a stranger something to drop into the widget.
func (s *Sandbox) serveSample(w http.ResponseWriter, r *http.Request) {
	name, isPDF := strings.CutSuffix(r.PathValue("name"), ".pdf")
	if !isPDF || !isSource(name) {
		s.writeError(w, missing("Sample"))
		return
	}
	writePDF(w, file{source: source(name), name: name + "-sample.pdf"})
}

func writePDF(w http.ResponseWriter, f file) {
	b := f.pdf()
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b) //nolint:gosec // a PDF of fixed text, sent as application/pdf
}
