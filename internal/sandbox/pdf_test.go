package sandbox_test

import (
	"bytes"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"casbroker/internal/sandbox"
)

func TestSamplePDFsAreValid(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{}).as("")
	for _, source := range []string{"CDSL", "NSDL", "CAMS", "KFINTECH"} {
		a := c.call(http.MethodGet, "/_sandbox/samples/"+string(bytes.ToLower([]byte(source)))+".pdf", "")
		a.want(t, 200, "%PDF-1.4", "Source: "+source, "fictional sample")
		if got := a.header.Get("Content-Type"); got != "application/pdf" {
			t.Errorf("got content type %q, want application/pdf", got)
		}
		checkXref(t, a.raw)
	}
	c.call(http.MethodGet, "/_sandbox/samples/bank.pdf", "").want(t, 404)
	c.call(http.MethodGet, "/_sandbox/samples/cdsl", "").want(t, 404)
}

var (
	startXref = regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`)
	entry     = regexp.MustCompile(`(\d{10}) 00000 n \n`)
	stream    = regexp.MustCompile(`(?s)/Length (\d+) >>\nstream\n(.*)\nendstream`)
)

// checkXref checks that a PDF's cross-reference table points at its objects.
func checkXref(t *testing.T, pdf []byte) {
	t.Helper()
	m := startXref.FindSubmatch(pdf)
	if m == nil {
		t.Fatalf("got %q, want startxref at the end", pdf)
	}
	table, err := strconv.Atoi(string(m[1]))
	if err != nil || !bytes.HasPrefix(pdf[table:], []byte("xref\n0 6\n0000000000 65535 f \n")) {
		t.Fatalf("startxref %s does not point at the table", m[1])
	}
	entries := entry.FindAllSubmatch(pdf[table:], -1)
	if len(entries) != 5 {
		t.Fatalf("got %d entries, want 5", len(entries))
	}
	for i, e := range entries {
		offset, err := strconv.Atoi(string(e[1]))
		if err != nil || !bytes.HasPrefix(pdf[offset:], []byte(strconv.Itoa(i+1)+" 0 obj\n")) {
			t.Errorf("object %d is not at %s", i+1, e[1])
		}
	}
	if s := stream.FindSubmatch(pdf); s == nil || strconv.Itoa(len(s[2])) != string(s[1]) {
		t.Error("the stream does not have the length it declares")
	}
}
