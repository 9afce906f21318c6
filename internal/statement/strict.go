package statement

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// space is what may stand around a JSON text (RFC 8259, section 2).
const space = " \t\r\n"

var errJSON = fault.New(fault.Invalid, "invalid_json", "The body is not valid JSON.")

// trusted is for reading again what strict has passed.
var trusted = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// strict passes one JSON text (RFC 8259) that is valid UTF-8, has no name twice in
// an object, stays within what scan allows, and holds no U+0000, which
// PostgreSQL cannot keep. Its errors show nothing of the body.
func strict(body []byte) error {
	if len(bytes.TrimLeft(body, space)) == 0 {
		return errJSON.Withf("The body is empty; send what the widget gave to onSuccess.")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if err := scan(body); err != nil {
		return err
	}
	if err := dec.SkipValue(); err != nil {
		return syntax(body, err)
	}
	if rest := bytes.TrimLeft(body[dec.InputOffset():], space); len(rest) > 0 {
		return wrong(body, int64(len(body)-len(rest)), "something follows the JSON text")
	}
	return nil
}

func syntax(body []byte, err error) error {
	offset := int64(len(body))
	var at *jsontext.SyntacticError
	if errors.As(err, &at) {
		offset = at.ByteOffset
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return wrong(body, offset, "an object has the same name twice")
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return wrong(body, offset, "it ends too early")
	default:
		return wrong(body, offset, "a character that cannot stand there, or text that is not UTF-8")
	}
}

// wrong says what is wrong where; the byte is counted from 0 at the body's start.
func wrong(body []byte, offset int64, what string) error {
	offset = min(max(offset, 0), int64(len(body)))
	line := 1 + bytes.Count(body[:offset], []byte("\n"))
	return errJSON.Withf("The body is not valid JSON: line %d, byte %d: %s.", line, offset, what)
}
