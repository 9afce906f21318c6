package casbroker

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"path/filepath"
	"reflect"
	"strings"
)

// json makes value the body.
func (r *request) json(value any) {
	r.body = func() (string, io.Reader, error) {
		text, err := json.Marshal(value)
		return "application/json", bytes.NewReader(text), err
	}
}

// form makes the fields of value, a struct, a form that is written while it is sent. An
// io.Reader is a file.
func (r *request) form(value any) {
	r.body = func() (string, io.Reader, error) {
		reader, writer := io.Pipe()
		form := multipart.NewWriter(writer)
		go func() { _ = writer.CloseWithError(writeForm(form, value)) }()
		return form.FormDataContentType(), reader, nil
	}
}

func writeForm(form *multipart.Writer, value any) error {
	fields := reflect.ValueOf(value)
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ",")
		var err error
		switch v := fields.Field(i).Interface().(type) {
		case string:
			if v != "" {
				err = form.WriteField(name, v)
			}
		case io.Reader:
			err = writeFile(form, name, v)
		}
		if err != nil {
			return err
		}
	}
	return form.Close()
}

// writeFile writes a file under its own name, if it has one as an *os.File does.
func writeFile(form *multipart.Writer, field string, content io.Reader) error {
	name := field
	if file, ok := content.(interface{ Name() string }); ok {
		name = filepath.Base(file.Name())
	}
	part, err := form.CreateFormFile(field, name)
	if err != nil {
		return err
	}
	_, err = io.Copy(part, content)
	return err
}

// closeBody closes a body that is not sent, so that a form in it is not written further.
func closeBody(body io.Reader) error {
	if c, ok := body.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
