package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/netaddr"
)

// The document of a parse call is checked while it is passed on, without being held in
// memory. What is found wrong in the first bytes never reaches the vendor. If something
// is found later, the vendor's request is broken off, so that it never gets a whole body.

const (
	// maxFields is how many fields a form may have. The vendor knows five.
	maxFields = 16
	// maxURL is the longest pdf_url, in bytes.
	maxURL = 4 << 10
	// pdfWithin is how many bytes may come before the signature of a PDF, as readers of
	// PDF take it.
	pdfWithin = 1 << 10
	// headSize is how much of a body is read before the vendor is called, in bytes.
	headSize = 4 << 10
)

var pdfSignature = []byte("%PDF-")

// Failures of documents. The codes of the first are the vendor's.
var (
	errNotPDF   = fault.New(fault.Invalid, "invalid_pdf", "The file is not a valid PDF.")
	errTooLarge = fault.New(fault.TooLarge, "file_too_large", "The file is too large; a PDF may have 10 MB at most.")
	errForm     = fault.New(fault.Invalid, "invalid_form", "The form cannot be read.")
	errFields   = fault.New(fault.Invalid, "invalid_form", "A call has one file at most, and one field of each name.")
	errMedia    = fault.New(fault.Invalid, "invalid_form", "Send a form (multipart/form-data) or JSON.")
	errPDFURL   = fault.New(fault.Invalid, "invalid_pdf_url", "pdf_url must be the https address of a PDF on a public server.")
	errFileOnly = fault.New(fault.Invalid, "pdf_url_not_offered", "This service fetches no documents: send the statement itself as pdf_file.")
)

// fieldKind is what a field of a form, or a member of a JSON object, is for.
type fieldKind int

const (
	otherField fieldKind = iota
	fileField
	urlField
)

// fields checks the names of the fields of one call.
type fields struct {
	checkURL func(text string) error
	strict   bool // see UserCall
	names    map[string]bool
	hasFile  bool
	hasURL   bool
	checked  bool // the document was found to be acceptable
}

// complete returns a fault if the call has not the document that a strict call needs.
func (f *fields) complete() error {
	switch {
	case !f.strict:
		return nil
	case f.hasFile && f.hasURL:
		return errOneOnly
	case !f.checked:
		return errNoDocument
	default:
		return nil
	}
}

// namePattern is the form of a name. It has no character that some server would replace.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// add adds a field. It returns errFields if there may not be one of that name.
func (f *fields) add(name string) (fieldKind, error) {
	folded := strings.ToLower(name)
	if !namePattern.MatchString(name) || f.names[folded] || len(f.names) == maxFields {
		return 0, errFields
	}
	if f.names == nil {
		f.names = map[string]bool{}
	}
	f.names[folded] = true
	switch folded {
	case "pdf_file", "file":
		if f.hasFile {
			return 0, errFields
		}
		f.hasFile = true
		return fileField, nil
	case "pdf_url":
		return urlField, nil
	case "password":
		return otherField, nil
	default:
		if f.strict {
			return 0, errField
		}
		return otherField, nil
	}
}

// foundPDF reports whether start is the start of a PDF. start need not be longer than
// pdfWithin and the signature.
func (f *fields) foundPDF(start []byte) bool {
	f.checked = bytes.Contains(start[:min(len(start), pdfWithin+len(pdfSignature)-1)], pdfSignature)
	return f.checked
}

// foundURL returns errPDFURL if the vendor may not be asked to fetch text. An empty field
// is the same as none.
func (f *fields) foundURL(text string) error {
	if text == "" {
		return nil
	}
	f.checked, f.hasURL = true, true
	return f.checkURL(text)
}

// scanner checks a body while it is read.
type scanner interface {
	// scan gets the next bytes. It returns a fault if the call is not acceptable.
	scan(p []byte) error
	// end returns a fault unless the body was complete.
	end() error
}

// checkDocument returns a fault if the document of r is not acceptable as far as its first
// bytes tell. The rest is checked when it is read.
func (x *exchange) checkDocument(w http.ResponseWriter, r *http.Request) error {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || x.strict && media != "multipart/form-data" && media != "application/json" {
		if x.strict {
			return ErrMedia
		}
		return errMedia.Because(err)
	}
	known := fields{checkURL: x.Vendor.checkPDFURL, strict: x.strict}
	switch {
	case x.OnPremise:
		known.checkURL = func(string) error { return errFileOnly }
	case x.strict:
		known.checkURL = func(text string) error { return x.checkResolved(r.Context(), text) }
	}
	var s scanner
	switch media {
	case "multipart/form-data":
		if s, err = newFormScanner(params["boundary"], known); err != nil {
			return err
		}
		// The vendor gets no parameter that it could understand in another way.
		r.Header.Set("Content-Type", mime.FormatMediaType(media, map[string]string{"boundary": params["boundary"]}))
	case "application/json":
		s = &objectScanner{fields: known}
		r.Header.Set("Content-Type", media)
	case "application/x-www-form-urlencoded":
		s = &queryScanner{fields: known}
		r.Header.Set("Content-Type", media)
	default:
		return errMedia
	}
	httpapi.SetReadDeadline(w, x.arriving, time.Now().Add(x.Timeouts.Upload))
	x.document = &checkedBody{ReadCloser: r.Body, scanner: s}
	r.Body = x.document
	return x.document.begin()
}

// checkedBody is a body that a scanner checks while it is read.
type checkedBody struct {
	io.ReadCloser
	scanner scanner
	head    []byte // was read and checked before the vendor was called
	err     error  // what comes after head
	refused atomic.Bool
}

// begin reads headSize bytes, or the whole body if that is shorter.
func (b *checkedBody) begin() error {
	head := make([]byte, headSize)
	n := 0
	for n < len(head) && b.err == nil {
		m, _ := b.next(head[n:])
		n += m
	}
	b.head = head[:n]
	if b.err == nil || errors.Is(b.err, io.EOF) {
		return nil
	}
	return uploadError(b.err)
}

// Read reads from the body.
func (b *checkedBody) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	return b.next(p)
}

// next reads and checks what was not read yet. What is not acceptable is not returned.
func (b *checkedBody) next(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	wrong := b.scanner.scan(p[:n])
	if wrong == nil && errors.Is(err, io.EOF) {
		wrong = b.scanner.end()
	}
	if wrong != nil {
		b.refused.Store(true)
		n, err = 0, wrong
	}
	b.err = err
	return n, err
}

// Close closes the body, unless that was refused: the rest is read then, so that the
// caller gets the answer.
func (b *checkedBody) Close() error {
	if b.refused.Load() {
		return nil
	}
	return b.ReadCloser.Close()
}

// uploadError returns the caller's error for err of reading its body.
func uploadError(err error) error {
	_, known := errors.AsType[*fault.Fault](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case known, tooLarge:
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return httpapi.ErrBodyTooSlow.Because(err)
	default:
		return errAborted.Because(err)
	}
}

// queryScanner checks an URL-encoded form, which has no room for a file.
type queryScanner struct {
	fields
	text []byte
}

func (s *queryScanner) scan(p []byte) error {
	if len(s.text)+len(p) > maxSmall {
		return &http.MaxBytesError{Limit: maxSmall}
	}
	s.text = append(s.text, p...)
	return nil
}

func (s *queryScanner) end() error {
	values, err := url.ParseQuery(string(s.text))
	if err != nil {
		return errForm
	}
	for name, list := range values {
		kind, err := s.add(name)
		switch {
		case err != nil:
			return err
		case len(list) > 1, kind == fileField:
			return errFields
		case kind == urlField:
			if err := s.foundURL(list[0]); err != nil {
				return err
			}
		}
	}
	return s.complete()
}

// checkPDFURL returns errPDFURL unless text is the address of a file on a public server, or
// on the vendor's own. Names are not looked up.
func (v *Vendor) checkPDFURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Opaque != "" || u.User != nil || !strings.HasPrefix(text, u.Scheme+"://"+u.Host) {
		return errPDFURL
	}
	if u.Scheme == v.base.Scheme && u.Host == v.base.Host {
		return nil
	}
	if u.Scheme != "https" || u.Port() != "" && u.Port() != "443" || !netaddr.IsPublic(u.Hostname()) {
		return errPDFURL
	}
	return nil
}

// unexpected returns the fault for JSON that cannot be read.
func unexpected() error {
	return httpapi.ErrJSON.Withf("The body must be a JSON object, as the API describes it.")
}

// hostOf returns the host of the URL text, and whether it is the vendor's.
func (v *Vendor) hostOf(text string) (host string, own bool) {
	u, err := url.Parse(text)
	if err != nil {
		return "", false
	}
	return u.Hostname(), u.Scheme == v.base.Scheme && u.Host == v.base.Host
}

// lookUp returns what looks up the addresses of a host.
func (h *Handler) lookUp() func(ctx context.Context, host string) ([]netip.Addr, error) {
	if h.LookUp != nil {
		return h.LookUp
	}
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
}

// isPublicAddress reports whether a is an address on the public Internet.
func isPublicAddress(a netip.Addr) bool { return netaddr.IsPublic(a.Unmap().String()) }
