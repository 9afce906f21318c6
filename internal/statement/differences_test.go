package statement

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	const text = `{"meta":{"cas_type":"NSDL","generated_at":"2026-04-01T10:00:00Z"},"investor":{"name":"Asha"},
		"nps":[{"pran":"1","funds":[{"name":"F","units":1.50,"value":10},{"name":"G","value":2}]}]}`
	for name, c := range map[string]struct {
		changes []string // old, new
		want    []string
	}{
		"nothing":                  {nil, nil},
		"notation":                 {[]string{"1.50", "15e-1", "Asha", `\u0041sha`}, nil},
		"the time of generation":   {[]string{"10:00:00Z", "11:00:00Z"}, nil},
		"no time of generation":    {[]string{`,"generated_at":"2026-04-01T10:00:00Z"`, ""}, nil},
		"an envelope":              {[]string{`{"meta"`, `{"status":"success","msg":"x","meta"`}, nil},
		"units":                    {[]string{"1.50", "1.51"}, []string{"/nps/0/funds/0/units"}},
		"a number as a text":       {[]string{"1.50", `"1.50"`}, []string{"/nps/0/funds/0/units"}},
		"a member more":            {[]string{`"value":2`, `"value":2,"a/b":0`}, []string{"/nps/0/funds/1/a~1b"}},
		"a member less":            {[]string{`"units":1.50,`, ""}, []string{"/nps/0/funds/0/units"}},
		"a fund less":              {[]string{`,{"name":"G","value":2}`, ""}, []string{"/nps/0/funds/1"}},
		"a fund more":              {[]string{`"value":2}`, `"value":2},{}`}, []string{"/nps/0/funds/2"}},
		"generated_at of a fund":   {[]string{`"value":2`, `"value":2,"generated_at":1`}, []string{"/nps/0/funds/1/generated_at"}},
		"two":                      {[]string{"Asha", "Ravi", "10}", "11}"}, []string{"/investor/name", "/nps/0/funds/0/value"}},
		"an object instead of one": {[]string{`[{"pran"`, `{"x":{"pran"`, `]}]}`, `]}}}`}, []string{"/nps"}},
	} {
		changed := text
		for i := 0; i < len(c.changes); i += 2 {
			changed = strings.Replace(changed, c.changes[i], c.changes[i+1], 1)
		}
		got, err := Differences([]byte(changed), []byte(`{"data":`+text+`}`), 20)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestDifferencesAreListedInTheEnvelopeUpToALimit(t *testing.T) {
	t.Parallel()
	funds := func(value int) []byte {
		list := make([]string, 100)
		for i := range list {
			list[i] = fmt.Sprintf(`{"name":"F","value":%d}`, value)
		}
		return []byte(`{"data":{"nps":[{"funds":[` + strings.Join(list, ",") + `]}]}}`)
	}
	got, err := Differences(funds(1), funds(2), 20)
	if err != nil || len(got) != 20 || got[19] != "/data/nps/0/funds/19/value" {
		t.Errorf("got %q, %v", got, err)
	}
}
