package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// filesPath is the path below which files that the API links to are served.
const filesPath = "/_sandbox/files/"

// oauthPath is the path below which the mail provider's consent pages are.
const oauthPath = "/_sandbox/oauth/"

// file is a statement that can be downloaded until it expires.
type file struct {
	content
	name    string
	day     string // the date in its text; "" for none
	expires time.Time
}

// addFile makes f available for download and returns its URL and its size in bytes.
func (s *Sandbox) addFile(base string, f file) (link string, size int) {
	id := newID("")
	s.files.put(id, f)
	return base + filesPath + id + "/" + url.PathEscape(f.name), len(f.pdf())
}

func (s *Sandbox) findFile(id string) (file, error) {
	f, found := s.files.get(id)
	if !found || !s.opts.Now().Before(f.expires) {
		return file{}, notFound("File")
	}
	return f, nil
}

func (f file) pdf() []byte {
	lines := []string{
		"Consolidated Account Statement", "Source: " + strings.ToUpper(string(f.source)),
		"This is a fictional sample: nobody in it exists and nothing in it was ever traded.",
	}
	if p, found := personaByID(f.investor); found {
		t := readTotals(p, f.source)
		lines = append(lines, "Investor: "+p.Name, "Period: "+t.Meta.Period.From+" to "+t.Meta.Period.To, "Total value: INR "+t.Summary.Total.String())
	}
	if f.day != "" {
		lines = append(lines, "Dated "+f.day)
	}
	return singlePagePDF(lines)
}

func (s *Sandbox) serveFile(w http.ResponseWriter, r *http.Request) {
	f, err := s.findFile(r.PathValue("id"))
	if err != nil {
		s.writeError(w, err)
		return
	}
	writePDF(w, f)
}

// serveSample serves a sample PDF to drop into the widget, such as cdsl.pdf or, of a
// persona, rohan-cdsl.pdf.
func (s *Sandbox) serveSample(w http.ResponseWriter, r *http.Request) {
	name, isPDF := strings.CutSuffix(r.PathValue("name"), ".pdf")
	investor, src, ofPersona := strings.Cut(name, "-")
	if !ofPersona {
		investor, src = "", name
	}
	if _, found := personaByID(investor); !isPDF || !isSource(src) || ofPersona && !found {
		s.writeError(w, notFound("Sample"))
		return
	}
	writePDF(w, file{content: content{source(src), investor}, name: name + "-sample.pdf"})
}

func writePDF(w http.ResponseWriter, f file) {
	b := f.pdf()
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b)
}

// mailFile describes a statement received by mail. The inbox, the forwarding
// address and its callback share this form.
type mailFile struct {
	MessageID        string `json:"message_id"`
	Filename         string `json:"filename"`
	OriginalFilename string `json:"original_filename"`
	MessageDate      string `json:"message_date"` // date-time; in a mailbox a plain date
	CASType          source `json:"cas_type"`
	SenderEmail      string `json:"sender_email"`
	Size             int    `json:"size"` // bytes
	URL              string `json:"url"`
	ExpiresIn        int    `json:"expires_in"`            // seconds
	ReceivedAt       string `json:"received_at,omitempty"` // timestamp; only in the files of an address
}

// addMailFile makes a statement available for download during ttl and describes it.
func (s *Sandbox) addMailFile(base, messageID string, c content, sent time.Time, ttl time.Duration) mailFile {
	sent = sent.UTC()
	f := file{content: c, day: sent.Format(time.DateOnly), expires: s.opts.Now().Add(ttl)}
	f.name = c.source.fileName(sent.Format("20060102"), newID("")[:8])
	link, size := s.addFile(base, f)
	return mailFile{
		MessageID: messageID, Filename: f.name, OriginalFilename: "statement.pdf", MessageDate: sent.Format(time.RFC3339),
		CASType: c.source, SenderEmail: c.source.sender(), Size: size, URL: link, ExpiresIn: int(ttl / time.Second),
	}
}
