package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"casbroker/internal/fault"
)

func testFields() fields { return fields{checkURL: func(string) error { return nil }} }

// scanAll scans body in pieces of size bytes.
func scanAll(s scanner, body []byte, size int) error {
	for len(body) > 0 {
		n := min(size, len(body))
		if err := s.scan(body[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	return s.end()
}

// accepts reports whether bodies are accepted by the scanners that newScanner returns. That, and
// which of several faults is found first, must not depend on how they are cut.
func accepts(t *testing.T, newScanner func() scanner, body []byte) bool {
	t.Helper()
	want := scanAll(newScanner(), body, len(body)+1)
	for _, size := range []int{1, 2, 3, 7, 64} {
		got := scanAll(newScanner(), body, size)
		if _, isFault := errors.AsType[*fault.Fault](got); fmt.Sprint(got) != fmt.Sprint(want) || got != nil && !isFault {
			t.Fatalf("in pieces of %d bytes: got %v, as a whole %v, for %q", size, got, want, body)
		}
	}
	if _, isFault := errors.AsType[*fault.Fault](want); want != nil && !isFault {
		t.Fatalf("got %v, want a fault", want)
	}
	return want == nil
}

// FuzzForm checks that each form that is accepted has the same meaning for mime/multipart.
func FuzzForm(f *testing.F) {
	const part = "--b\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"a.pdf\"\r\n\r\n%PDF-1.4\r\n"
	for _, body := range []string{
		part + "--b--\r\n", part + "--b--", part + part + "--b--", part + "--b\r\nContent-Disposition: form-data; name=password\r\n\r\nx\r\n--b--\r\n",
		"--b\r\nContent-Disposition: form-data; name=\"pdf_url\"\r\n\r\nhttps://a.example/a.pdf\r\n--b--\r\n",
		"--b\r\n\r\n--b--", "--b\nContent-Disposition: form-data; name=file\n\n%PDF-\n--b--", "--b--\r\n",
		strings.Replace(part, "%PDF-1.4\r", strings.Repeat("x", 2*pdfWithin), 1) + "--b--", // two faults
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		newScanner := func() scanner {
			s, err := newFormScanner("b", testFields())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if !accepts(t, newScanner, body) {
			return
		}
		files, names := 0, map[string]bool{}
		form := multipart.NewReader(bytes.NewReader(body), "b")
		for {
			p, err := form.NextRawPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("accepted %q, which is no form: %v", body, err)
			}
			content, err := io.ReadAll(p)
			if err != nil || names[p.FormName()] {
				t.Fatalf("accepted %q with a second %q, %v", body, p.FormName(), err)
			}
			names[p.FormName()] = true
			if p.FormName() == "pdf_file" || p.FormName() == "file" || p.FileName() != "" {
				files++
				if !bytes.Contains(content, pdfSignature) {
					t.Fatalf("accepted %q with another file than a PDF", body)
				}
			}
		}
		if files > 1 {
			t.Fatalf("accepted %q with %d files", body, files)
		}
	})
}

// FuzzObject checks that each object that is accepted, and is one for encoding/json, has
// the same meaning there.
func FuzzObject(f *testing.F) {
	for _, body := range []string{
		`{"pdf_file":"JVBERi0xLjQ=","password":"x"}`, `{"pdf_file":"JVBERi0x","pdf_file":"JVBERi0x"}`, `{"pdf\u005ffile":"JVBERi0x","pdf_file":null}`,
		`{"a":{"b":["\"}",{}]},"c":1.5e+3,"pdf_url":"https:\/\/a.example\/"}`, `{}`, ` { } `, `{"pdf_file":1}`, `[]`, `{"a":"\\"}`, `{"a":"\u00e9","A":1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !accepts(t, func() scanner { return &objectScanner{fields: testFields()} }, body) || !json.Valid(body) {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber() // also those that no float64 holds
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil || names[name.(string)] {
				t.Fatalf("accepted %q with a second %v, %v", body, name, err)
			}
			names[name.(string)] = true
			var value any
			if err := decoder.Decode(&value); err != nil {
				t.Fatal(err)
			}
			if text, ok := value.(string); ok && text != "" && name == "pdf_file" {
				decoded, _ := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "", "-", "+", "_", "/").Replace(text))
				if !bytes.Contains(decoded, pdfSignature) {
					t.Fatalf("accepted %q with another file than a PDF", body)
				}
			} else if !ok && value != nil && (name == "pdf_file" || name == "pdf_url") {
				t.Fatalf("accepted %q with the %v %v", body, name, value)
			}
		}
	})
}
