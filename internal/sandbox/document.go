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
	maxHead  = 64 << 10 // how much of a PDF is searched for the name of its source
	maxField = 4 << 10  // the longest other field of a form
	maxParts = 16
)

// wrongPassword is the password that opens no statement; any other, or none, does.
const wrongPassword = "wrong"

// The refusals of a document.
var (
	errNoFile   = bad("Either pdf_file or pdf_url is required")
	errForm     = bad("The multipart form could not be read")
	errNotPDF   = &refusal{status: http.StatusBadRequest, code: "INVALID_PDF", msg: "The file is not a valid PDF"}
	errDownload = &refusal{status: http.StatusBadRequest, code: "INVALID_PDF", msg: "No PDF could be downloaded from pdf_url"}
	errOtherCAS = &refusal{status: http.StatusBadRequest, code: "UNSUPPORTED_FORMAT", msg: "This statement comes from another source than this endpoint parses"}
)

// document is what is known of an uploaded PDF. Its bytes are not kept.
type document struct {
	source     source // "" when neither content nor name tells
	password   string
	brokerType string
}

// document reads the PDF of a parse call, in any of the forms it may have, and
// tries its password.
func (s *Sandbox) document(c *call) (document, error) {
	var d document
	var err error
	kind, params, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch kind {
	case "multipart/form-data":
		d, err = s.fromForm(c.r.Body, params["boundary"])
	case "application/json":
		d, err = s.fromJSON(c.r)
	case "application/x-www-form-urlencoded":
		d, err = s.fromValues(c.r)
	default:
		err = bad("Send multipart/form-data or application/json")
	}
	if err != nil {
		return document{}, err
	}
	if d.password == wrongPassword {
		return document{}, &refusal{status: s.opts.PasswordStatus, code: "INVALID_PASSWORD", msg: "Incorrect password for the PDF"}
	}
	return d, nil
}

func (s *Sandbox) fromForm(body io.Reader, boundary string) (document, error) {
	var d document
	var pdfURL string
	found := false
	form := multipart.NewReader(body, boundary)
	for range maxParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return s.orFromURL(d, found, pdfURL)
		}
		if err != nil {
			return document{}, formError(err)
		}
		switch part.FormName() {
		case "pdf_file", "file":
			d.source, err = inspect(part, part.FileName())
			found = true
		case "password":
			d.password, err = field(part)
		case "pdf_url":
			pdfURL, err = field(part)
		case "broker_type":
			d.brokerType, err = field(part)
		}
		if err != nil {
			return document{}, err
		}
	}
	return document{}, errForm
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
		if d.source, err = inspect(base64.NewDecoder(base64.StdEncoding, strings.NewReader(req.File)), ""); err != nil {
			return document{}, err
		}
	}
	return s.orFromURL(d, req.File != "", req.URL)
}

func (s *Sandbox) fromValues(r *http.Request) (document, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return document{}, unreadable(err)
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return document{}, errForm
	}
	d := document{password: form.Get("password"), brokerType: form.Get("broker_type")}
	return s.orFromURL(d, false, form.Get("pdf_url"))
}

// orFromURL completes d from pdfURL when there was no file in the request.
func (s *Sandbox) orFromURL(d document, found bool, pdfURL string) (document, error) {
	if found {
		return d, nil
	}
	if pdfURL == "" {
		return document{}, errNoFile
	}
	var err error
	d.source, err = s.download(pdfURL)
	return d, err
}

// download stands for fetching a URL: it never uses the network. A URL of the
// sandbox's own is looked up; any other is told by its file name.
func (s *Sandbox) download(pdfURL string) (source, error) {
	u, err := url.Parse(pdfURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", errDownload
	}
	if _, own, found := strings.Cut(u.Path, filesPath); found {
		id, _, _ := strings.Cut(own, "/")
		f, err := s.openFile(id)
		if err != nil {
			return "", errDownload
		}
		return f.source, nil
	}
	name := strings.ToLower(path.Base(u.Path))
	if !strings.HasSuffix(name, ".pdf") || strings.HasPrefix(name, "missing") {
		return "", errDownload
	}
	return marked([]byte(name)), nil
}

// inspect reads a PDF to its end, of which it keeps only the first maxHead
// bytes for a moment, and returns its source: by content, else by name.
func inspect(r io.Reader, name string) (source, error) {
	head := make([]byte, maxHead)
	n, err := io.ReadFull(r, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fileError(err)
	}
	if !strings.HasPrefix(string(head), "%PDF-") {
		return "", errNotPDF
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(r, maxPDF-int64(n)+1))
	if err != nil {
		return "", fileError(err)
	}
	if int64(n)+rest > maxPDF {
		return "", errTooLarge
	}
	if s := marked(head); s != "" {
		return s, nil
	}
	return marked([]byte(name)), nil
}

func field(part io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return "", formError(err)
	}
	if len(b) > maxField {
		return "", errForm
	}
	return string(b), nil
}

func formError(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return errTooLarge
	}
	return errForm
}

// fileError answers a file that ends too soon or is not the base64 it should be.
func fileError(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return errTooLarge
	}
	return errNotPDF
}
