package statement

import (
	"strings"
	"testing"
	"time"
)

func TestMetadataIsTheOutermostObject(t *testing.T) {
	t.Parallel()
	const inner = `"data":{` + meta + `,"nps":[]}`
	longest := `{"n":"` + strings.Repeat("a", MaxMetadata-len(`{"n":""}`)) + `"}`
	for body, want := range map[string]string{
		`{` + inner + `}`:                                                "",
		`{` + inner + `,"metadata":null}`:                                "",
		`{` + inner + `,"metadata":{ }}`:                                 "",
		`{` + inner + `,"metadata":[1]}`:                                 "",
		`{"met\u0061data" : {"a":1},` + inner + `}`:                      `{"a":1}`,
		`{"metadata" : { "filename": "a\u00e9.pdf" } ,` + inner + `}`:    `{"filename":"a\u00e9.pdf"}`,
		`{` + meta + `,"nps":[],"metadata":{"a":[1,{"b":null}]}}`:        `{"a":[1,{"b":null}]}`,
		`{"data":{` + inner + `,"metadata":{"a":1}},"metadata":{"a":2}}`: `{"a":2}`,
		`{` + inner + `,"metadata":` + longest + `}`:                     longest,
	} {
		s, err := Parse([]byte(body), time.Now())
		if err != nil || string(s.Metadata) != want {
			t.Errorf("%.80s: got %.80s, %v, want %.80s", body, s.Metadata, err, want)
		}
	}
}
