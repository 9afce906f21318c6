package gateway_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// readings are how much of each body a vendor got, and whether it was whole.
type readings struct {
	mu   sync.Mutex
	list []reading
}

type reading struct {
	contentType string
	body        string
	whole       bool
}

// read answers as the vendor does, to a whole body.
func (v *readings) read(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	v.mu.Lock()
	v.list = append(v.list, reading{r.Header.Get("Content-Type"), string(body), err == nil})
	v.mu.Unlock()
	ok(rw, r)
}

// whole returns how many whole bodies the vendor got.
func (v *readings) whole() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.list {
		if r.whole {
			n++
		}
	}
	return n
}

const formType = "multipart/form-data; boundary=----WebKitFormBoundaryA1"

// part is a part of a form of formType; header is what comes after "Content-Disposition: ".
func part(header, content string) string {
	return "------WebKitFormBoundaryA1\r\nContent-Disposition: " + header + "\r\n\r\n" + content + "\r\n"
}

const (
	formEnd  = "------WebKitFormBoundaryA1--\r\n"
	pdfField = `form-data; name="pdf_file"; filename="a.pdf"` + "\r\nContent-Type: application/pdf"
	password = `form-data; name="password"`
	urlField = `form-data; name="pdf_url"`
	pdf      = "%PDF-1.4\nstatement\n%%EOF\n"
)

var pdfText = base64.StdEncoding.EncodeToString([]byte(pdf))

func TestOrdinaryDocumentsPassUnchanged(t *testing.T) {
	t.Parallel()
	long := pdf + strings.Repeat("\r\n--x\r\n------WebKitFormBoundary\n", 200<<10/30)
	for name, c := range map[string]struct{ kind, body string }{
		"a form":                       {formType, part(pdfField, pdf) + part(password, "ABCDE1234F") + formEnd},
		"an older form":                {formType, part(password, "") + part(`form-data; name="file"; filename=""`, pdf) + formEnd},
		"a long form":                  {formType, part(password, "x") + part(pdfField, long) + part(`form-data; name="broker_type"`, "x") + formEnd},
		"a delimiter within a line":    {formType, part(pdfField, pdf+" ------WebKitFormBoundaryA1 ") + formEnd},
		"no line end after the end":    {formType, part(pdfField, pdf) + strings.TrimSpace(formEnd)},
		"bytes before the signature":   {formType, part(pdfField, strings.Repeat("\x00", 1023)+pdf) + formEnd},
		"a name in other letters":      {formType, part(`form-data; name="pdf_file"; filename="ÄÖ \"1\".pdf"`, pdf) + formEnd},
		"an address":                   {formType, part(urlField, "https://files.example/a.pdf?x=%20y&z=1") + part(password, "x") + formEnd},
		"an empty address and a file":  {formType, part(urlField, "") + part(pdfField, pdf) + formEnd},
		"no document":                  {formType, part(password, "x") + formEnd},
		"JSON":                         {"application/json", `{"pdf_file":"` + pdfText + `","password":"\"x\\"}`},
		"JSON of PHP":                  {"application/json", `{ "password" : null, "pdf_file" : "` + strings.ReplaceAll(pdfText, "/", `\/`) + "\" }\n"},
		"JSON with a long file":        {"application/json", `{"x":[{"a":"}"},1.5e3,true],"pdf_file":"` + base64.StdEncoding.EncodeToString([]byte(long)) + `"}`},
		"JSON with an address":         {"application/json", `{"pdf_url":"https:\/\/files.example\/a.pdf","pdf_file":null}`},
		"JSON without a document":      {"application/json", `{}`},
		"an URL-encoded form":          {"application/x-www-form-urlencoded", "pdf_url=https%3A%2F%2Ffiles.example%2Fa.pdf&password=x"},
		"JSON with bytes before a PDF": {"application/json", `{"pdf_file":"` + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", 1023)+pdf)) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &readings{}
			w := newWorld(t, v.read)
			a := send(t, request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader(c.body), "Content-Type", c.kind))
			if a.status != 200 {
				t.Fatalf("got %+v", a)
			}
			if got := v.list[0]; !got.whole || got.body != c.body || got.contentType != c.kind {
				t.Errorf("the vendor got %q, %q (whole: %v)", got.contentType, got.body[:min(len(got.body), 300)], got.whole)
			}
		})
	}
}

func TestBadDocumentsNeverReachTheVendorAsAWhole(t *testing.T) {
	t.Parallel()
	file := part(pdfField, pdf)
	const boundary = "------WebKitFormBoundaryA1"
	for name, c := range map[string]struct{ kind, body, code string }{
		"no body":                    {formType, "", "INVALID_FORM"},
		"no type":                    {"", file + formEnd, "INVALID_FORM"},
		"another type":               {"text/plain", "{}", "INVALID_FORM"},
		"no boundary":                {"multipart/form-data", file + formEnd, "INVALID_FORM"},
		"an odd boundary":            {`multipart/form-data; boundary="a b"`, "--a b--", "INVALID_FORM"},
		"two boundaries":             {formType + "; boundary=x", file + formEnd, "INVALID_FORM"},
		"another boundary":           {"multipart/form-data; boundary=x", file + formEnd, "INVALID_FORM"},
		"mixed parts":                {strings.Replace(formType, "form-data", "mixed", 1), file + formEnd, "INVALID_FORM"},
		"a page":                     {formType, part(pdfField, "<html>"+strings.Repeat("x", 5000)) + formEnd, "INVALID_PDF"},
		"an empty file":              {formType, part(pdfField, "") + formEnd, "INVALID_PDF"},
		"a short file":               {formType, part(pdfField, "%PDF") + part(password, "%PDF-") + formEnd, "INVALID_PDF"},
		"a late signature":           {formType, part(pdfField, strings.Repeat(" ", 1025)+pdf) + formEnd, "INVALID_PDF"},
		"two files":                  {formType, file + file + formEnd, "INVALID_FORM"},
		"two files of two names":     {formType, file + part(`form-data; name="file"; filename="b.pdf"`, pdf) + formEnd, "INVALID_FORM"},
		"a file of another name":     {formType, file + part(`form-data; name="x"; filename="b.pdf"`, pdf) + formEnd, "INVALID_FORM"},
		"two fields of a name":       {formType, file + part(password, "a") + part(password, "b") + formEnd, "INVALID_FORM"},
		"two unknown fields":         {formType, part(`form-data; name=x`, "") + part(`form-data; name=x`, "") + file + formEnd, "INVALID_FORM"},
		"names that PHP makes one":   {formType, file + part(`form-data; name="pdf.file"`, pdf) + formEnd, "INVALID_FORM"},
		"a list of files":            {formType, part(`form-data; name="pdf_file[]"; filename="a.pdf"`, pdf) + formEnd, "INVALID_FORM"},
		"a name in upper case":       {formType, file + part(`form-data; name="PDF_FILE"; filename="b.pdf"`, pdf) + formEnd, "INVALID_FORM"},
		"a name twice in a header":   {formType, part(`form-data; name="x"; name="pdf_file"`, pdf) + formEnd, "INVALID_FORM"},
		"a name in two encodings":    {formType, part(`form-data; name="x"; name*=utf-8''pdf_file`, pdf) + formEnd, "INVALID_FORM"},
		"a field without a name":     {formType, file + part(`form-data`, "x") + formEnd, "INVALID_FORM"},
		"two headers":                {formType, part(password+"\r\nContent-Disposition: "+pdfField, pdf) + formEnd, "INVALID_FORM"},
		"a folded header":            {formType, part("form-data;\r\n name=\"pdf_file\"", pdf) + formEnd, "INVALID_FORM"},
		"a bare line feed":           {formType, part(password+"\nContent-Disposition: "+pdfField, pdf) + formEnd, "INVALID_FORM"},
		"a long header":              {formType, part(pdfField+"\r\nX-A: "+strings.Repeat("x", 5000), pdf) + formEnd, "INVALID_FORM"},
		"an encoded file":            {formType, part(pdfField+"\r\nContent-Transfer-Encoding: base64", pdf) + formEnd, "INVALID_FORM"},
		"parts in a part":            {formType, part(`form-data; name="pdf_file"`+"\r\nContent-Type: multipart/mixed; boundary=y", "--y\r\n\r\n"+pdf+"\r\n--y--") + formEnd, "INVALID_FORM"},
		"text before":                {formType, "x\r\n" + file + formEnd, "INVALID_FORM"},
		"text after":                 {formType, file + formEnd + file + formEnd, "INVALID_FORM"},
		"a bare line feed before":    {formType, file[:len(file)-2] + "\n" + boundary + "\r\nContent-Disposition: " + password + "\r\n\r\nx\r\n" + formEnd, "INVALID_FORM"},
		"a delimiter after a header": {formType, boundary + "\r\nContent-Disposition: " + password + "\r\n\r\n" + file + formEnd, "INVALID_FORM"},
		"a space after a delimiter":  {formType, strings.Replace(file, boundary, boundary+" ", 1) + formEnd, "INVALID_FORM"},
		"no end":                     {formType, file, "INVALID_FORM"},
		"a long form without an end": {formType, part(pdfField, pdf+strings.Repeat("x", 1<<20)), "INVALID_FORM"},
		"a late second file":         {formType, part(pdfField, pdf+strings.Repeat("x", 1<<20)) + file + formEnd, "INVALID_FORM"},
		"many fields":                {formType, manyParts(17) + formEnd, "INVALID_FORM"},
		"an address of this machine": {formType, part(urlField, "https://127.0.0.1/a.pdf") + formEnd, "INVALID_PDF_URL"},
		"a long address":             {formType, part(urlField, "https://a.example/"+strings.Repeat("a", 5000)) + formEnd, "INVALID_PDF_URL"},

		"JSON with a page":          {"application/json", `{"pdf_file":"` + base64.StdEncoding.EncodeToString([]byte("<html>")) + `"}`, "INVALID_PDF"},
		"JSON with a long page":     {"application/json", `{"pdf_file":"` + strings.Repeat("A", 1<<20) + `"}`, "INVALID_PDF"},
		"JSON with two files":       {"application/json", `{"pdf_file":"` + pdfText + `","pdf_file":"` + pdfText + `"}`, "INVALID_FORM"},
		"JSON with an escaped name": {"application/json", `{"pdf_file":"` + pdfText + `","pdf\u005ffile":"` + pdfText + `"}`, "INVALID_FORM"},
		"JSON with a late name":     {"application/json", `{"pdf_file":"JVBERi0x` + strings.Repeat("A", 1<<20) + `","x":1,"x":2}`, "INVALID_FORM"},
		"JSON with a list":          {"application/json", `{"pdf_file":["` + pdfText + `"]}`, "INVALID_FORM"},
		"JSON with an address":      {"application/json", `{"pdf_url":"https:\/\/10.0.0.1\/a.pdf"}`, "INVALID_PDF_URL"},
		"JSON that is a list":       {"application/json", `[{"pdf_file":"` + pdfText + `"}]`, "INVALID_JSON"},
		"JSON that is cut":          {"application/json", `{"pdf_file":"` + pdfText, "INVALID_JSON"},
		"two objects":               {"application/json", `{"pdf_file":"` + pdfText + `"}{}`, "INVALID_JSON"},
		"UTF-16":                    {"application/json", "{\x00\"\x00", "INVALID_JSON"},
		"an empty body":             {"application/json", "", "INVALID_JSON"},

		"an URL-encoded file":    {"application/x-www-form-urlencoded", "pdf_file=%25PDF-", "INVALID_FORM"},
		"two addresses":          {"application/x-www-form-urlencoded", "pdf_url=https://a.example/&pdf_url=https://b.example/", "INVALID_FORM"},
		"an URL-encoded address": {"application/x-www-form-urlencoded", "pdf_url=http://a.example/", "INVALID_PDF_URL"},
		"a bad escape":           {"application/x-www-form-urlencoded", "pdf_url=%zz", "INVALID_FORM"},
		"a long URL-encoded one": {"application/x-www-form-urlencoded", "x=" + strings.Repeat("a", 70<<10), "FILE_TOO_LARGE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &readings{}
			w := newWorld(t, v.read)
			for _, chunked := range []bool{false, true} {
				r := request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader(c.body), "Content-Type", c.kind)
				if chunked {
					r.ContentLength = -1
				}
				a := send(t, r)
				if a.err != nil || a.status != 400 && a.status != 413 || !strings.Contains(a.body, `"code":"`+c.code+`"`) {
					t.Errorf("got %d %s %v, want %s", a.status, a.body, a.err, c.code)
				}
				if !strings.Contains(a.body, `"status":"failed"`) || strings.Contains(a.body, "password") {
					t.Errorf("got %s, want the vendor's shape", a.body)
				}
			}
			if got := w.outcome(t, 2); got != "parse refused" {
				t.Errorf("got the outcome %q", got)
			}
			if len(c.body) < 4<<10 && w.requests.Load() != 0 {
				t.Errorf("the vendor got %d requests", w.requests.Load())
			}
			if v.whole() != 0 {
				t.Error("the vendor got a whole body")
			}
		})
	}
}

func manyParts(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(part(fmt.Sprintf(`form-data; name="x%d"`, i), "x"))
	}
	return b.String()
}

func TestAddressOfAPDFMustBePublic(t *testing.T) {
	t.Parallel()
	v := &readings{}
	w := newWorld(t, v.read)
	address := func(text string) int {
		return send(t, request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader(fmt.Sprintf(`{"pdf_url":%q}`, text)))).status
	}
	for _, bad := range []string{
		"http://files.example/a.pdf", "ftp://files.example/a.pdf", "file:///etc/passwd", "files.example/a.pdf", "//files.example/a.pdf", "https:///a.pdf",
		"https:files.example/a.pdf", "HTTPS://u:p@files.example/a.pdf", "https://u@files.example/a.pdf", "https://files.example:8443/a.pdf", "https://files.example:22/",
		"https://localhost/a.pdf", "https://a.localhost/", "https://metadata.google.internal/", "https://printer.local/", "https://intranet/a.pdf", "https://127.0.0.1/",
		"https://127.1/", "https://2130706433/", "https://0x7f.0.0.1/", "https://0x7f000001/", "https://0177.0.0.1/", "https://10.1.2.3/", "https://172.16.0.1/",
		"https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://0.0.0.0/", "https://[::1]/", "https://[::]/",
		"https://[::ffff:10.0.0.1]/", "https://[fd00::1]/", "https://[fe80::1%25eth0]/", "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/", "https://224.0.0.1/",
		`https://files.example\@127.0.0.1/`, "https://files.example@127.0.0.1/", "https://127.0.0.1%2f.example/", " https://files.example/", "https://files.example /",
		"https://a..example/", "https://localhost./", "https://１２７.0.0.1/", "javascript:alert(1)", "https://127.0.0.1.",
	} {
		if got := address(bad); got != 400 {
			t.Errorf("%s: got %d, want 400", bad, got)
		}
	}
	if n := w.requests.Load(); n != 0 {
		t.Errorf("the vendor got %d requests", n)
	}
	for _, good := range []string{
		"https://files.example/a.pdf", "https://files.example:443/a.pdf?X-Amz-Signature=1%2F2", "https://Files.Example./a.pdf", "https://8.8.8.8/a.pdf",
		"https://[2606:4700::1111]/a.pdf", "https://s3.ap-south-1.amazonaws.com/a.pdf#x",
	} {
		if got := address(good); got != 200 {
			t.Errorf("%s: got %d, want 200", good, got)
		}
	}
}

// TestRefusedUploadOverOneConnection checks callers that close the connection themselves,
// and such that wait for leave to send.
func TestRefusedUploadOverOneConnection(t *testing.T) {
	t.Parallel()
	v := &readings{}
	w := newWorld(t, v.read)
	page := part(pdfField, "<html>"+strings.Repeat("x", 3<<20)) + formEnd
	late := part(pdfField, pdf+strings.Repeat("x", 3<<20)) + part(pdfField, pdf) + formEnd
	for name, c := range map[string]struct {
		header, body, token string
		leave, closes       bool // 100 Continue comes; the connection ends
	}{
		"closes, a page":               {"Connection: close\r\n", page, valid, false, true},
		"closes, late":                 {"Connection: close\r\n", late, valid, false, true},
		"closes, no token":             {"Connection: close\r\n", page, "at_other", false, true},
		"asks, a page":                 {"Expect: 100-continue\r\n", page, valid, true, false},
		"asks, late":                   {"Expect: 100-continue\r\n", late, valid, true, false},
		"asks, no token":               {"Expect: 100-continue\r\n", "", "at_other", false, true},
		"asks and closes, a page":      {"Expect: 100-continue\r\nConnection: close\r\n", page, valid, true, true},
		"goes on after a page":         {"", page, valid, false, false},
		"goes on after a late refusal": {"", late, valid, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			in := bufio.NewReader(conn)
			head := fmt.Sprintf("POST /gateway/v4/smart/parse HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n",
				c.token, formType, max(len(c.body), 100), c.header)
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			if c.leave {
				if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
					t.Fatalf("got %q, %v, want 100", line, err)
				}
				_, _ = in.ReadString('\n')
			}
			if _, err := io.WriteString(conn, c.body); err != nil {
				t.Fatalf("the body could not be sent: %v", err)
			}
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			want := map[bool]int{true: 400, false: 401}[c.token == valid]
			if err != nil || res.StatusCode != want || !strings.Contains(string(body), `"status":"failed"`) {
				t.Errorf("got %d %s %v, want %d", res.StatusCode, body, err, want)
			}
			if c.closes != res.Close {
				t.Errorf("the connection ends: %v, want %v", res.Close, c.closes)
			}
			if !c.closes { // the connection is fit for another request
				_, _ = fmt.Fprintf(conn, "POST /gateway/v4/smart/parse HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", valid)
				if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 200 {
					t.Errorf("the next request: got %v, %v", res, err)
				} else {
					_ = res.Body.Close()
				}
			}
		})
	}
}
