package gateway

import (
	"bytes"
	"cmp"
	"mime"
	"regexp"
	"strings"
)

// maxPartHeader is the longest header of a part, in bytes.
const maxPartHeader = 4 << 10

var (
	crlf     = []byte("\r\n")
	headEnds = []byte("\r\n\r\n")
)

// boundaryPattern is RFC 2046's form of a boundary, without the characters that would have
// to be quoted.
var boundaryPattern = regexp.MustCompile(`^[0-9A-Za-z'+_.-]{1,70}$`)

// formScanner checks a form as RFC 7578 describes it. It refuses what programs read in
// different ways: text before the first part or after the last, line ends other than
// CRLF, folded or repeated headers, encodings. mime/multipart cannot do that while the
// form passes, and reads half as fast.
type formScanner struct {
	fields
	delimiter []byte // without the line end before it
	search    *search
	state     formState
	text      []byte // what was read in this state; of content, the start
	tail      []byte // the last bytes of the content, which may begin a delimiter
	kind      fieldKind
	length    int // of the content, with the delimiter after it
}

// formState is where in a form a scanner is.
type formState int

const (
	atStart formState = iota
	afterDelimiter
	inHeader
	inContent
	afterEnd
)

func newFormScanner(boundary string, known fields) (*formScanner, error) {
	if !boundaryPattern.MatchString(boundary) {
		return nil, errForm
	}
	delimiter := []byte("--" + boundary)
	return &formScanner{fields: known, delimiter: delimiter, search: newSearch(delimiter)}, nil
}

func (s *formScanner) scan(p []byte) error {
	for len(p) > 0 {
		n, err := 0, error(nil)
		if s.state == inContent {
			n, err = s.scanContent(p)
		} else {
			n = 1
			s.text = append(s.text, p[0])
			err = s.scanText()
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (s *formScanner) end() error {
	if s.state != afterEnd {
		return errForm
	}
	return s.complete()
}

// enter begins a state.
func (s *formScanner) enter(state formState) { s.state, s.text = state, s.text[:0] }

// scanText looks at s.text, which has got one more byte.
func (s *formScanner) scanText() error {
	switch s.state {
	case atStart:
		if !bytes.HasPrefix(s.delimiter, s.text) {
			return errForm
		}
		if len(s.text) == len(s.delimiter) {
			s.enter(afterDelimiter)
		}
	case afterDelimiter:
		switch string(s.text) {
		case "\r\n":
			s.enter(inHeader)
		case "--":
			s.enter(afterEnd)
		case "\r", "-":
		default:
			return errForm
		}
	case inHeader:
		if len(s.text) > maxPartHeader {
			return errForm
		}
		if bytes.HasSuffix(s.text, headEnds) {
			return s.beginContent()
		}
	default: // afterEnd
		if !bytes.HasPrefix(crlf, s.text) {
			return errForm
		}
	}
	return nil
}

var (
	// nameParameter finds parameters that some programs read in place of name.
	nameParameter = regexp.MustCompile(`(?i)[;\s]name\*`)
	headerName    = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	// headerValue is RFC 9110's form of a value: no control character but tab.
	headerValue = regexp.MustCompile(`^(?s:[^\x00-\x08\x0a-\x1f\x7f])*$`)
)

// partHeader is what the scanner reads in the header of a part.
type partHeader struct{ disposition, contentType, encoding string }

// readPartHeader reads the lines in text, which end with an empty one.
func readPartHeader(text string) (h partHeader, err error) {
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n\r\n"), "\r\n") {
		name, value, found := strings.Cut(line, ":")
		if !found || !headerName.MatchString(name) || !headerValue.MatchString(value) {
			return h, errForm // also for a folded line
		}
		var field *string
		switch strings.ToLower(name) {
		case "content-disposition":
			field = &h.disposition
		case "content-type":
			field = &h.contentType
		case "content-transfer-encoding":
			field = &h.encoding
		default:
			continue
		}
		value = strings.TrimSpace(value)
		if *field != "" || value == "" {
			return h, errForm
		}
		*field = value
	}
	return h, nil
}

// beginContent reads the header in s.text.
func (s *formScanner) beginContent() error {
	h, err := readPartHeader(string(s.text))
	if err != nil {
		return err
	}
	disposition, params, err := mime.ParseMediaType(h.disposition)
	if err != nil || disposition != "form-data" || nameParameter.MatchString(h.disposition) || strings.HasPrefix(strings.ToLower(h.contentType), "multipart/") {
		return errForm
	}
	switch strings.ToLower(h.encoding) {
	case "", "binary", "8bit", "7bit":
	default:
		return errForm
	}
	if s.kind, err = s.add(params["name"]); err != nil {
		return err
	}
	if _, isFile := params["filename"]; isFile && s.kind != fileField {
		return errFields
	}
	s.enter(inContent)
	// Some programs take a delimiter right after the header, too: it is refused then.
	s.tail, s.length = append(s.tail[:0], '\n'), 0
	return nil
}

// scanContent looks for the delimiter after the content. It returns how much of p belongs
// to the content and the delimiter.
func (s *formScanner) scanContent(p []byte) (int, error) {
	whole := len(crlf) + len(s.delimiter)
	before := len(s.tail)
	s.tail = append(s.tail, p[:min(len(p), whole-1)]...)
	end, err := s.find(s.tail)
	n := end - before
	if end < 0 {
		end, err = s.find(p)
		n = end
	}
	if err != nil { // unless the content before it is wrong
		s.keep(p[:n])
		return 0, cmp.Or(s.checkStart(), err)
	}
	if end < 0 {
		s.tail = s.tail[:before]
		s.keep(p)
		return len(p), s.checkStart()
	}
	s.keep(p[:n])
	s.text = s.text[:min(len(s.text), s.length-whole)]
	err = s.checkContent(s.length - whole)
	s.enter(afterDelimiter)
	return n, err
}

// find returns where in b a line end and the delimiter end, -1 if nowhere. It returns errForm for what
// is a delimiter for some programs, and where that ends.
func (s *formScanner) find(b []byte) (int, error) {
	for from := 0; ; {
		i := s.search.index(b[from:])
		if i < 0 {
			return -1, nil
		}
		i += from
		switch {
		case i >= 2 && b[i-2] == '\r' && b[i-1] == '\n':
			return i + len(s.delimiter), nil
		case i >= 1 && (b[i-1] == '\n' || b[i-1] == '\r'):
			return i + len(s.delimiter), errForm
		}
		from = i + 1
	}
}

// keep keeps the start of the content, which p continues, and the end.
func (s *formScanner) keep(p []byte) {
	s.length += len(p)
	needed := s.kind == urlField || s.kind == fileField && !s.checked
	if room := maxURL + len(crlf) + len(s.delimiter) - len(s.text); needed && room > 0 {
		s.text = append(s.text, p[:min(len(p), room)]...)
	}
	end := len(crlf) + len(s.delimiter) - 1
	if len(p) >= end {
		s.tail = append(s.tail[:0], p[len(p)-end:]...)
		return
	}
	s.tail = append(s.tail, p...)
	if more := len(s.tail) - end; more > 0 {
		s.tail = append(s.tail[:0], s.tail[more:]...)
	}
}

// checkStart returns errNotPDF for a file whose start is not that of a PDF.
func (s *formScanner) checkStart() error {
	if s.kind == fileField && !s.checked && !s.foundPDF(s.text) && len(s.text) > pdfWithin+len(pdfSignature) {
		return errNotPDF
	}
	return nil
}

// checkContent checks content of length bytes, the start of which is in s.text.
func (s *formScanner) checkContent(length int) error {
	switch s.kind {
	case fileField:
		if !s.checked && !s.foundPDF(s.text) {
			return errNotPDF
		}
	case urlField:
		if length > maxURL {
			return errPDFURL
		}
		return s.foundURL(string(s.text))
	case otherField:
	}
	return nil
}
