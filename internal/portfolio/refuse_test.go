package portfolio_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestMalformedJSONIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, tt := range map[string]struct{ body, detail string }{
		"empty":                 {"", "empty"},
		"white space":           {" \n", "empty"},
		"cut off":               {`{"data":`, "too early"},
		"second object":         {`{} {}`, "line 1, column 4"},
		"a name twice":          {"{\n\"a\":1,\n\"a\":2}", "line 3, column 1"},
		"a name twice, escaped": {`{"a":1,"\u0061":2}`, "twice"},
		"invalid UTF-8":         {"{\"a\":\"\xff\"}", "UTF-8"},
		"half a surrogate":      {`{"a":"\ud800"}`, "UTF-8"},
		"a bare word":           {"{\"é\":\n NaN}", "line 2, column 2: expected a value"},
		"a comment":             {`{} // done`, "column 4"},
		"a comma at the end":    {`{"a":1,}`, "column 7: expected a name"},
		"closed too often":      {"]}]:{", "column 1: expected a value"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.save("asha", []byte(tt.body)).want(t, http.StatusBadRequest)
			if got.Code != "invalid_json" || !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("got %s: %s", got.Code, got.Detail)
			}
		})
	}
}

func TestValidJSONBeyondALimitIsRefusedWithTheLimit(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, tt := range map[string]struct{ body, pointer, code, detail string }{
		"U+0000":                  {`{"a":"\u0000"}`, "/a", "nul_character", "U+0000"},
		"nested too deep":         {strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("/0", 64), "too_deep", "at most 64 deep"},
		"nested far too deep":     {strings.Repeat(`{"data":`, 100_000), strings.Repeat("/data", 64)[:256], "too_deep", "at most 64 deep"},
		"a name that is too long": {`{"data":{"` + strings.Repeat("n", 1025) + "\" \n:1}}", "/data/" + strings.Repeat("n", 250), "name_too_long", "at most 1024 bytes"},
		"too many members":        {`{` + strings.Repeat(`"n":1,`, 10_000) + `"n":1}`, "/n", "too_many_members", "10000 members"},
		"an absurd exponent":      {`{"a":[0,1e999999999999]}`, "/a/1", "number_out_of_range", "exponent from -308 to 308"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.save("asha", []byte(tt.body)).want(t, http.StatusBadRequest)
			if got.Code != "payload_limit" || !strings.Contains(got.Detail, tt.detail) || len(got.Errors) != 1 || got.Errors[0] != (finding{tt.pointer, tt.code}) {
				t.Errorf("got %s: %s %+v, want payload_limit with %s at %s", got.Code, got.Detail, got.Errors, tt.code, tt.pointer)
			}
		})
	}
}

func TestInvalidStatementIsRefusedWithPointers(t *testing.T) {
	t.Parallel()
	b := start(t)
	const meta = `"meta":{"cas_type":"NSDL"}`
	for name, tt := range map[string]struct {
		body string
		want []finding
	}{
		"an array":               {`[]`, []finding{{"", "wrong_type"}}},
		"a word":                 {`"statement"`, []finding{{"", "wrong_type"}}},
		"an empty object":        {`{}`, []finding{{"/meta/cas_type", "missing_cas_type"}, {"", "no_section"}}},
		"data of a wrong type":   {`{"data":[]}`, []finding{{"/data", "wrong_type"}}},
		"an unknown source":      {`{"data":{"meta":{"cas_type":"MFU"},"nps":[]}}`, []finding{{"/data/meta/cas_type", "unknown_cas_type"}}},
		"a source of wrong type": {`{"meta":{"cas_type":7},"nps":[]}`, []finding{{"/meta/cas_type", "wrong_type"}}},
		"no section":             {`{` + meta + `,"summary":{}}`, []finding{{"", "no_section"}}},
		"only null sections":     {`{` + meta + `,"nps":null}`, []finding{{"", "no_section"}}},
		"a section of a wrong type": {
			`{"raw_response":{` + meta + `,"nps":[{"pran":5,"funds":[{"units":-1,"value":"ten"},{"name":[]}]}],"demat_accounts":{"a":1}}}`,
			[]finding{{"/raw_response/demat_accounts", "wrong_type"}},
		},
		"no row left": {
			`{` + meta + `,"demat_accounts":[{"holdings":{"equities":[{"name":"A","value":-1.01},{"units":-1,"value":"ten"}]}}]}`,
			[]finding{{"/demat_accounts/0/holdings/equities/0/value", "negative"}, {"/demat_accounts/0/holdings/equities/1/units", "negative"}},
		},
		"a name that is too long": {
			`{` + meta + `,"nps":[{"funds":[{"name":"` + strings.Repeat("x", 1025) + `","units":1}]}]}`,
			[]finding{{"/nps/0/funds/0/name", "too_long"}},
		},
		"a row of a wrong type":    {`{` + meta + `,"mutual_funds":[{"schemes":[7]}]}`, []finding{{"/mutual_funds/0/schemes/0", "wrong_type"}}},
		"the widget closed":        {`{"status":"closed"}`, []finding{{"/status", "no_success"}}},
		"a failure":                {`{"status":"failed","msg":"Invalid password","data":null}`, []finding{{"/status", "no_success"}}},
		"the widget's shape alone": {`{"investor_info":{},"folios":[]}`, []finding{{"", "no_raw_response"}}},
		"wrapped too often":        {`{"data":{"data":{"data":{"data":{"data":{}}}}}}`, []finding{{"/data/data/data/data/data", "wrapped_too_often"}}},
		"too many empty rows": {
			`{` + meta + `,"nps":[{"funds":[` + strings.Repeat("null,", 1000) + `null]}]}`, []finding{{"/nps/0/funds/1000", "too_many_rejected"}},
		},
		"an unknown list that is too long": {
			`{` + meta + `,"demat_accounts":[{"holdings":{"` + strings.Repeat("x", 1024) + `":[` + strings.Repeat("0,", 1000) + `0]}}]}`,
			[]finding{{"/demat_accounts/0/holdings/" + strings.Repeat("x", 256-len("/demat_accounts/0/holdings/")), "too_many_rejected"}},
		},
		"too many rows": {
			`{` + meta + `,"nps":[{"funds":[` + strings.Repeat(`{"name":"F"},`, 20_000) + `{"name":"F"}]}]}`,
			[]finding{{"/nps/0/funds/20000", "too_many_rows"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.save("asha", []byte(tt.body)).want(t, http.StatusUnprocessableEntity)
			if got.Code != "not_a_statement" || len(got.Errors) != len(tt.want) {
				t.Fatalf("got %s %+v", got.Code, got.Errors)
			}
			for i, want := range tt.want {
				if got.Errors[i] != want {
					t.Errorf("got %+v, want %+v", got.Errors[i], want)
				}
			}
		})
	}
	if got := b.save("asha", []byte(`{`+meta+`,"nps":[`+strings.Repeat("0,", 5000)+`0]}`)).want(t, http.StatusUnprocessableEntity); len(got.Errors) != 200 {
		t.Errorf("of 5001 mistakes %d are named", len(got.Errors))
	}
	if list := b.get("asha", "/v1/portfolios"); !strings.Contains(string(list.body), `"portfolios":[]`) {
		t.Errorf("got portfolios %s, want none", list.body)
	}
}

func TestOnlyJSONOrTextInUTF8IsAccepted(t *testing.T) {
	t.Parallel()
	b := start(t)
	for media, status := range map[string]int{
		"application/json":                    http.StatusCreated,
		"Application/JSON; Charset=\"UTF-8\"": http.StatusCreated,
		"application/vnd.casparser+json":      http.StatusCreated,
		"":                                    http.StatusCreated, // there is a bearer token
		"text/plain":                          http.StatusCreated,
		"text/plain;charset=UTF-8":            http.StatusCreated,
		"text/plain; charset=latin1":          http.StatusUnsupportedMediaType,
		"text/html":                           http.StatusUnsupportedMediaType,
		"text/json":                           http.StatusUnsupportedMediaType,
		"application/json; charset=latin1":    http.StatusUnsupportedMediaType,
		"application/x-www-form-urlencoded":   http.StatusUnsupportedMediaType,
		"application/json, text/plain":        http.StatusUnsupportedMediaType,
		";":                                   http.StatusUnsupportedMediaType,
	} {
		got := b.save("user of "+strings.Map(letters, media), minimal("Fund"), "Content-Type", media).want(t, status)
		if status != http.StatusCreated && got.Code != "unsupported_media_type" {
			t.Errorf("%q: got %s", media, got.Code)
		}
	}
	got := b.save("asha", minimal("Fund"), "Content-Encoding", "br")
	if got.want(t, http.StatusUnsupportedMediaType).Code != "unsupported_encoding" || got.header.Get("Accept-Encoding") != "gzip" {
		t.Errorf("br: %s", got.body)
	}
}

func letters(r rune) rune {
	if r < 'a' || r > 'z' {
		return 'x'
	}
	return r
}

func TestBodyOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	spaces := bytes.Repeat([]byte(" "), maxBody)
	exact := append(minimal("Fund"), spaces[len(minimal("Fund")):]...)
	json := []string{"Content-Type", "application/json"}
	zipped := append([]string{"Content-Encoding", "gzip"}, json...)
	for name, tt := range map[string]struct {
		body    io.Reader
		headers []string
		status  int
		code    string
	}{
		"exactly at the limit":        {bytes.NewReader(exact), json, http.StatusCreated, ""},
		"one byte over the limit":     {bytes.NewReader(append(exact, ' ')), json, http.StatusRequestEntityTooLarge, "body_too_large"},
		"chunked, at the limit":       {chunked(exact), json, http.StatusCreated, ""},
		"chunked, over the limit":     {chunked(append(exact, ' ')), json, http.StatusRequestEntityTooLarge, "body_too_large"},
		"gzip, at the limit":          {bytes.NewReader(zip(t, exact)), zipped, http.StatusCreated, ""},
		"gzip, over the limit":        {bytes.NewReader(zip(t, append(exact, ' '))), zipped, http.StatusRequestEntityTooLarge, "body_too_large"},
		"a zip bomb":                  {bytes.NewReader(zip(t, bytes.Repeat(spaces, 20))), zipped, http.StatusRequestEntityTooLarge, "body_too_large"},
		"called zipped, but is not":   {bytes.NewReader(minimal("Fund")), zipped, http.StatusBadRequest, "invalid_encoding"},
		"zipped and then cut":         {bytes.NewReader(zip(t, exact)[:40]), zipped, http.StatusBadRequest, "incomplete_body"},
		"zipped and then damaged":     {bytes.NewReader(damaged(zip(t, exact))), zipped, http.StatusBadRequest, "invalid_encoding"},
		"zipped, followed by garbage": {bytes.NewReader(append(zip(t, exact), "garbage at the end"...)), zipped, http.StatusBadRequest, "invalid_encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.call(strings.Map(letters, name), http.MethodPost, "/v1/portfolios", tt.body, tt.headers...).want(t, tt.status)
			if got.Code != tt.code {
				t.Errorf("got %s", got.Code)
			}
		})
	}
}

// chunked hides how long body is, so that it is sent in chunks.
func chunked(body []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(body)} }

func zip(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// damaged changes the checksum at the end.
func damaged(zipped []byte) []byte {
	c := bytes.Clone(zipped)
	c[len(c)-6] ^= 0xff
	return c
}

func TestBadRowCostsItselfOnly(t *testing.T) {
	t.Parallel()
	b := start(t)
	got := b.save("asha", []byte(`{"meta":{"cas_type":"NSDL"},"investor":[],"summary":{"total_value":"Rs. 1,10,000"},"nps":[{"pran":5,"value":110000,"funds":[
		{"name":"A","units":".5","value":"1,00,000.00"},{"name":"B","value":"(1,234.50)"},{"name":"C","units":-0.001,"value":"NIL"}]}]}`)).want(t, http.StatusCreated)
	if got.Complete || got.ReceivedRows != 3 || got.StoredRows != 2 || len(got.Rejected) != 1 || got.Rejected[0] != (finding{"/nps/0/funds/1/value", "negative"}) {
		t.Errorf("got %+v, want row 1 rejected alone", got)
	}
	want := []finding{{"", "missing_period"}, {"/nps/0/funds/2", "rounding_residue"}, {"/nps/0/value", "total_unchecked"}}
	for _, f := range want {
		if !slices.Contains(got.Warnings, f) {
			t.Errorf("got warnings %+v, want %+v", got.Warnings, f)
		}
	}
}
