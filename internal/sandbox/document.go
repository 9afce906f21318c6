package sandbox

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strings"
)

const (
	maxPDF   = 10 << 20 // the vendor's limit
	maxHead  = 64 << 10 // bytes of a PDF that are searched for the name of its source
	maxField = 4 << 10  // bytes of any other form field
	maxParts = 16       // parts of a form
)

// wrongPassword is the only password that is refused. An empty one is accepted, but for
// contract notes.
const wrongPassword = "wrong"

// Errors of parse calls.
var (
	errNoFile      = badRequest("Either pdf_file or pdf_url is required")
	errBadForm     = badRequest("The multipart form could not be read")
	errNotPDF      = &apiError{status: http.StatusBadRequest, code: "INVALID_PDF", msg: "The file is not a valid PDF"}
	errDownload    = &apiError{status: http.StatusBadRequest, code: "INVALID_PDF", msg: "No PDF could be downloaded from pdf_url"}
	errWrongSource = &apiError{status: http.StatusBadRequest, code: "UNSUPPORTED_FORMAT", msg: "This statement comes from another source than this endpoint parses"}
)

// document holds the fields of a parse call. The bytes of its PDF are not kept.
type document struct {
	content
	password   string
	brokerType string
}

// content is what the sandbox reads in a PDF.
type content struct {
	source   source // "" when neither text nor file name contains one
	investor string // persona id; "" when neither contains one
}

// readDocument reads the body of a parse call: multipart, JSON or URL-encoded. It
// returns INVALID_PASSWORD for wrongPassword.
func (s *Sandbox) readDocument(c *call) (document, error) {
	var d document
	var err error
	kind, params, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch kind {
	case "multipart/form-data":
		d, err = s.fromMultipart(c.r.Body, params["boundary"])
	case "application/json":
		d, err = s.fromJSON(c.r)
	case "application/x-www-form-urlencoded":
		d, err = s.fromURLEncoded(c.r)
	default:
		err = badRequest("Send multipart/form-data or application/json")
	}
	if err != nil {
		return document{}, err
	}
	if d.password == wrongPassword {
		return document{}, &apiError{status: s.opts.PasswordStatus, code: "INVALID_PASSWORD", msg: "Incorrect password for the PDF"}
	}
	return d, nil
}

func (s *Sandbox) fromMultipart(body io.Reader, boundary string) (document, error) {
	var d document
	var pdfURL string
	hasFile := false
	form := multipart.NewReader(body, boundary)
	for range maxParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return s.orFromURL(d, hasFile, pdfURL)
		}
		if err != nil {
			return document{}, uploadError(err, errBadForm)
		}
		switch part.FormName() {
		case "pdf_file", "file":
			d.content, err = readPDF(part, part.FileName())
			hasFile = true
		case "password":
			d.password, err = readField(part)
		case "pdf_url":
			pdfURL, err = readField(part)
		case "broker_type":
			d.brokerType, err = readField(part)
		}
		if err != nil {
			return document{}, err
		}
	}
	return document{}, errBadForm
}

func (s *Sandbox) fromJSON(r *http.Request) (document, error) {
	var req struct {
		File       string `json:"pdf_file"`
		URL        string `json:"pdf_url"`
		Password   string `json:"password"`
		BrokerType string `json:"broker_type"`
	}
	if err := readJSON(r, &req); err != nil {
		return document{}, err
	}
	d := document{password: req.Password, brokerType: req.BrokerType}
	if req.File != "" {
		var err error
		if d.content, err = readPDF(base64.NewDecoder(base64.StdEncoding, strings.NewReader(req.File)), ""); err != nil {
			return document{}, err
		}
	}
	return s.orFromURL(d, req.File != "", req.URL)
}

func (s *Sandbox) fromURLEncoded(r *http.Request) (document, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return document{}, bodyError(err)
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return document{}, errBadForm
	}
	d := document{password: form.Get("password"), brokerType: form.Get("broker_type")}
	return s.orFromURL(d, false, form.Get("pdf_url"))
}

// orFromURL returns d as it is if hasFile, else with the content of pdfURL.
func (s *Sandbox) orFromURL(d document, hasFile bool, pdfURL string) (document, error) {
	if hasFile {
		return d, nil
	}
	if pdfURL == "" {
		return document{}, errNoFile
	}
	var err error
	d.content, err = s.download(pdfURL)
	return d, err
}

// download emulates fetching pdfURL, without using the network, and returns the
// content of the file. It looks up the sandbox's own URLs; for any other URL the file
// name decides.
func (s *Sandbox) download(pdfURL string) (content, error) {
	u, err := url.Parse(pdfURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return content{}, errDownload
	}
	if _, rest, found := strings.Cut(u.Path, filesPath); found {
		id, _, _ := strings.Cut(rest, "/")
		f, err := s.findFile(id)
		if err != nil {
			return content{}, errDownload
		}
		return f.content, nil
	}
	name := strings.ToLower(path.Base(u.Path))
	if !strings.HasSuffix(name, ".pdf") || strings.HasPrefix(name, "missing") {
		return content{}, errDownload
	}
	return detectContent(nil, name), nil
}

// readPDF reads a PDF to its end and returns its content, by its first maxHead bytes,
// else by file name.
func readPDF(r io.Reader, name string) (content, error) {
	head := make([]byte, maxHead)
	n, err := io.ReadFull(r, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return content{}, uploadError(err, errNotPDF)
	}
	if !strings.HasPrefix(string(head), "%PDF-") {
		return content{}, errNotPDF
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(r, maxPDF-int64(n)+1))
	if err != nil {
		return content{}, uploadError(err, errNotPDF)
	}
	if int64(n)+rest > maxPDF {
		return content{}, errTooLarge
	}
	return detectContent(head, name), nil
}

func detectContent(text []byte, fileName string) content {
	src := detectSource(text)
	if src == "" {
		src = detectSource([]byte(fileName))
	}
	return content{src, detectPersona(text, fileName)}
}

func readField(part io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return "", uploadError(err, errBadForm)
	}
	if len(b) > maxField {
		return "", errBadForm
	}
	return string(b), nil
}

// uploadError returns errTooLarge for a body over the size limit, else fallback.
func uploadError(err error, fallback *apiError) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return fallback
}
