package gateway

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxName is the longest name of a member, still escaped, in bytes.
	maxName = 256
	// fileStart is how much of a file in base64 is looked at, in bytes.
	fileStart = 2 * pdfWithin
)

// objectScanner checks a JSON object: its names, the start of pdf_file and the whole
// pdf_url. It need not find every mistake; the vendor reads the object, too. A decoder
// would hold the whole file in memory.
type objectScanner struct {
	fields
	state  objectState
	kind   fieldKind
	depth  int    // of an array or object that is a value
	text   []byte // the start of a name or value, still escaped
	quoted bool   // inside a string
	escape bool   // the next byte was escaped
	cut    bool   // not all of the string is in text
}

// objectState is where in an object a scanner is.
type objectState int

const (
	beforeObject objectState = iota
	beforeFirst              // before the first name
	beforeName
	beforeColon
	beforeValue
	inScalar
	inNested
	afterValue
	afterObject
)

func (s *objectScanner) scan(p []byte) error {
	for len(p) > 0 {
		n, err := 1, error(nil)
		if s.quoted {
			n, err = s.scanString(p)
		} else {
			err = s.scanByte(p[0])
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (s *objectScanner) end() error {
	if s.state != afterObject {
		return unexpected()
	}
	return s.complete()
}

// scanByte looks at a byte outside of strings.
func (s *objectScanner) scanByte(c byte) error {
	switch {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		if s.state == inScalar {
			s.state = afterValue
		}
	case s.state == inNested:
		s.scanNested(c)
	case s.state == beforeValue:
		return s.beginValue(c)
	case c == '"' && (s.state == beforeFirst || s.state == beforeName):
		s.beginString()
	case c == '{' && s.state == beforeObject:
		s.state = beforeFirst
	case c == ':' && s.state == beforeColon:
		s.state = beforeValue
	case c == ',' && (s.state == afterValue || s.state == inScalar):
		s.state = beforeName
	case c == '}' && (s.state == afterValue || s.state == inScalar || s.state == beforeFirst):
		s.state = afterObject
	case s.state == inScalar && isScalar(c):
	default:
		return unexpected()
	}
	return nil
}

// isScalar reports whether numbers, true, false or null have c.
func isScalar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// scanNested looks at a byte, outside of strings, of a value that is an array or object.
func (s *objectScanner) scanNested(c byte) {
	switch c {
	case '"':
		s.beginString()
	case '{', '[':
		s.depth++
	case '}', ']':
		if s.depth--; s.depth == 0 {
			s.state = afterValue
		}
	}
}

// beginValue looks at the first byte of a value.
func (s *objectScanner) beginValue(c byte) error {
	switch {
	case c == '"':
		s.beginString()
	case s.kind != otherField && c != 'n': // only null is the same as none
		return errFields.Withf("pdf_file and pdf_url must be strings.")
	case c == '{' || c == '[':
		s.state, s.depth = inNested, 1
	case isScalar(c):
		s.state = inScalar
	default:
		return unexpected()
	}
	return nil
}

func (s *objectScanner) beginString() { s.quoted, s.cut, s.text = true, false, s.text[:0] }

// scanString looks at the bytes of a string, and returns how many of p those are.
func (s *objectScanner) scanString(p []byte) (int, error) {
	quote := -1 // the next quotation mark
	for i := 0; i < len(p); {
		if s.escape {
			s.escape = false
			i++
			continue
		}
		if quote < i {
			if quote = bytes.IndexByte(p[i:], '"'); quote < 0 {
				quote = len(p)
			} else {
				quote += i
			}
		}
		if j := bytes.IndexByte(p[i:quote], '\\'); j >= 0 {
			s.escape = true
			i += j + 1
			continue
		}
		if quote == len(p) {
			break
		}
		s.keep(p[:quote])
		s.quoted = false
		return quote + 1, s.endString()
	}
	s.keep(p)
	return len(p), s.checkStart()
}

// keep adds p to s.text, as far as it is needed.
func (s *objectScanner) keep(p []byte) {
	room := 0
	switch {
	case s.state == inNested:
	case s.state != beforeValue:
		room = maxName
	case s.kind == fileField:
		room = fileStart
	case s.kind == urlField:
		room = 2 * maxURL
	}
	n := min(len(p), room-min(room, len(s.text)))
	s.cut = s.cut || n < len(p)
	s.text = append(s.text, p[:n]...)
}

// checkStart returns errNotPDF for a file whose start is not that of a PDF.
func (s *objectScanner) checkStart() error {
	if s.state == beforeValue && s.kind == fileField && !s.checked && !s.foundPDF(decodeStart(s.text)) && s.cut {
		return errNotPDF
	}
	return nil
}

// endString looks at a string, which has ended.
func (s *objectScanner) endString() error {
	switch {
	case s.state == inNested:
		return nil
	case s.state != beforeValue:
		name, err := s.unquote()
		if err != nil {
			return err
		}
		s.state = beforeColon
		s.kind, err = s.add(name)
		return err
	}
	s.state = afterValue
	switch s.kind {
	case fileField:
		if !s.checked && len(s.text) > 0 && !s.foundPDF(decodeStart(s.text)) {
			return errNotPDF
		}
	case urlField:
		text, err := s.unquote()
		if err != nil {
			return errPDFURL
		}
		return s.foundURL(text)
	case otherField:
	}
	return nil
}

// unquote returns the string in s.text, which must be all of it.
func (s *objectScanner) unquote() (string, error) {
	quoted := append(append([]byte{'"'}, s.text...), '"')
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil || s.cut {
		return "", unexpected()
	}
	return string(text), nil
}

// plainBase64 removes the escapes that some encoders use in base64, and line ends.
var plainBase64 = strings.NewReplacer(`\/`, "/", `\n`, "", `\r`, "", "-", "+", "_", "/")

// decodeStart returns what the start of a text in base64 means, as far as it is valid.
func decodeStart(text []byte) []byte {
	decoded, _ := base64.StdEncoding.DecodeString(plainBase64.Replace(string(text)))
	return decoded
}
