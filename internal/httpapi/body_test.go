package httpapi_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// item is the object that the bodies of these tests describe.
type item struct {
	Name  string `json:"name"`
	Count *int   `json:"count"`
}

// errTooLarge represents an http.MaxBytesError in tables.
var errTooLarge = errors.New("too large")

func rules(required bool) httpapi.BodyRules {
	return httpapi.BodyRules{MaxBytes: 64, Required: required, Example: `{"name":"tea"}`}
}

// read reads a body of a media type, which may be "". A streamed body has no
// Content-Length.
func read(t *testing.T, body, media string, streamed, required bool) (item, error) {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	if streamed {
		r = io.MultiReader(r)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", r)
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	got, err := httpapi.ReadBody[item](httptest.NewRecorder(), req, rules(required))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = errTooLarge
	}
	return got, err
}

func TestBodyIsReadOrRefusedWithTheRightFault(t *testing.T) {
	t.Parallel()
	const isJSON = "application/json"
	for name, c := range map[string]struct {
		body, media string
		required    bool
		want        error
	}{
		"object":                       {`{"name":"tea","count":2}`, isJSON, true, nil},
		"object with a charset":        {` {"name":"tea","count":2} `, "Application/JSON; charset=utf-8", true, nil},
		"exactly the maximum":          {`{"name":"tea","count":2}` + strings.Repeat(" ", 40), isJSON, false, nil},
		"one byte over the maximum":    {`{"name":"tea","count":2}` + strings.Repeat(" ", 41), isJSON, false, errTooLarge},
		"no media type":                {`{"name":"tea","count":2}`, "", false, httpapi.ErrMediaType},
		"form":                         {"name=tea", "application/x-www-form-urlencoded", false, httpapi.ErrMediaType},
		"malformed media type":         {`{"name":"tea","count":2}`, ";", false, httpapi.ErrMediaType},
		"missing but required":         {"", isJSON, true, httpapi.ErrJSON},
		"missing, no media type":       {"", "", true, httpapi.ErrMediaType},
		"white space":                  {"  ", isJSON, false, httpapi.ErrJSON},
		"null":                         {" null", isJSON, false, httpapi.ErrJSON},
		"array":                        {`[{}]`, isJSON, false, httpapi.ErrJSON},
		"plain text":                   {`tea`, isJSON, false, httpapi.ErrJSON},
		"truncated object":             {`{"name":"tea"`, isJSON, false, httpapi.ErrJSON},
		"two objects":                  {`{"name":"tea"}{}`, isJSON, false, httpapi.ErrJSON},
		"unknown member":               {`{"name":"tea","sugar":1}`, isJSON, false, httpapi.ErrJSON},
		"duplicate member":             {`{"name":"tea","name":"milk"}`, isJSON, false, httpapi.ErrJSON},
		"member in wrong case":         {`{"Name":"tea"}`, isJSON, false, httpapi.ErrJSON},
		"invalid UTF-8":                {"{\"name\":\"\xff\"}", isJSON, false, httpapi.ErrJSON},
		"value of another type":        {`{"count":"two"}`, isJSON, false, httpapi.ErrJSON},
		"number out of range":          {`{"count":99999999999999999999}`, isJSON, false, httpapi.ErrJSON},
		"large body, unknown contents": {strings.Repeat("x", 1000), "", false, errTooLarge},
	} {
		for _, streamed := range []bool{false, true} {
			got, err := read(t, c.body, c.media, streamed, c.required)
			if !errors.Is(err, c.want) {
				t.Errorf("%s (streamed %v): got %v, want %v", name, streamed, err, c.want)
			}
			if err == nil && (got.Name != "tea" || got.Count == nil || *got.Count != 2) || err != nil && got != (item{}) {
				t.Errorf("%s (streamed %v): read %+v", name, streamed, got)
			}
		}
	}
}

func TestEncodedBodyIsRefused(t *testing.T) {
	t.Parallel()
	for coding, want := range map[string]error{
		"gzip": httpapi.ErrEncoding, "br": httpapi.ErrEncoding, "gzip, identity": httpapi.ErrEncoding, "Identity": nil, " ": nil,
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"name":"tea"}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Content-Encoding", coding)
		if got, err := httpapi.ReadBody[item](httptest.NewRecorder(), req, rules(true)); !errors.Is(err, want) || err == nil && got.Name != "tea" {
			t.Errorf("%q: got %+v, %v, want %v", coding, got, err, want)
		}
	}
}

func TestEmptyBodyEqualsEmptyObjectUnlessRequired(t *testing.T) {
	t.Parallel()
	for _, streamed := range []bool{false, true} {
		for _, media := range []string{"", "text/plain", "application/json"} {
			if got, err := read(t, "", media, streamed, false); got != (item{}) || err != nil {
				t.Errorf("media type %q (streamed %v): got %+v, %v", media, streamed, got, err)
			}
		}
	}
}

func TestFaultShowsAnExampleBody(t *testing.T) {
	t.Parallel()
	for required, want := range map[bool]string{
		true:  `The body must be a JSON object such as {"name":"tea"}.`,
		false: `The body must be empty, or a JSON object such as {"name":"tea"}.`,
	} {
		_, err := read(t, "[]", "application/json", false, required)
		if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Detail != want {
			t.Errorf("required %v: got %v, want detail %q", required, err, want)
		}
	}
}

func TestFaultNamesTheMemberThatIsWrong(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct{ detail, pointer string }{
		`{"sugar":1}`:     {"a member that this call does not take", "/sugar"},
		`{"Name":"tea"}`:  {"a member that this call does not take", "/Name"},
		`{"a/b":1}`:       {"a member that this call does not take", "/a~1b"},
		`{"name":["x"]}`:  {"a member of a wrong type", "/name"},
		`{"count":"two"}`: {"a member of a wrong type", "/count"},
	} {
		_, err := read(t, body, "application/json", false, false)
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || !errors.Is(f, httpapi.ErrJSON) || !strings.Contains(f.Detail, want.detail) || !strings.Contains(f.Detail, `{"name":"tea"}`) {
			t.Errorf("%s: got %v, want ErrJSON with %q and the example", body, err, want.detail)
		} else if len(f.Fields) != 1 || f.Fields[0].Pointer != want.pointer {
			t.Errorf("%s: got %+v, want %s", body, f.Fields, want.pointer)
		}
	}
}

func TestInterruptedBodyIsMalformed(t *testing.T) {
	t.Parallel()
	errBroken := errors.New("connection lost")
	reader, writer := io.Pipe()
	go func() {
		_, _ = io.WriteString(writer, `{"name":`)
		_ = writer.CloseWithError(errBroken)
	}()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", reader)
	r.Header.Set("Content-Type", "application/json")
	_, err := httpapi.ReadBody[item](httptest.NewRecorder(), r, rules(false))
	if !errors.Is(err, httpapi.ErrJSON) || !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestErrorAboutASecretBodyDoesNotRepeatIt(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"name":"hunter2",}`))
	r.Header.Set("Content-Type", "application/json")
	_, err := httpapi.ReadBody[item](httptest.NewRecorder(), r, httpapi.BodyRules{MaxBytes: 64, Secret: true})
	if !errors.Is(err, httpapi.ErrJSON) || errors.Unwrap(err) != nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestValueOfWrongTypeIsFoundByPointer(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"count":"two"}`: true, `{"count":1.5}`: true, `{"count":{}}`: true,
		`{"name":2}`: false, `{"count":`: false, `[]`: false, `{"count":1}`: false, ``: false,
	} {
		if _, err := read(t, body, "application/json", false, false); httpapi.IsTypeError(err, "/count") != want {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestAbsentBodyCostsNoAllocation(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
	w, rules := httptest.NewRecorder(), rules(false)
	if n := testing.AllocsPerRun(100, func() { _, _ = httpapi.ReadBody[item](w, r, rules) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestErrorAboutASecretBodyNamesMembersOfAWrongTypeOnly(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{`{"count":"hunter2"}`: "/count", `{"name":["hunter2"]}`: "/name", `{"hunter2":1}`: ""} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		_, err := httpapi.ReadBody[item](httptest.NewRecorder(), r, httpapi.BodyRules{MaxBytes: 64, Secret: true})
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || !errors.Is(err, httpapi.ErrJSON) || errors.Unwrap(err) != nil || strings.Contains(fmt.Sprintf("%v %+v", err, f.Fields), "hunter2") {
			t.Errorf("%s: got %v, %+v", body, err, f)
			continue
		}
		pointer := ""
		if len(f.Fields) == 1 {
			pointer = f.Fields[0].Pointer
		}
		if pointer != want {
			t.Errorf("%s: got %+v, want %q", body, f.Fields, want)
		}
	}
}
