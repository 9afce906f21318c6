package httpapi_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casbroker/internal/httpapi"
)

// order is what the bodies of the tests hold.
type order struct {
	What  string `json:"what"`
	Count *int   `json:"count"`
}

var (
	errMediaType = errors.New("wrong media type")
	errMalformed = errors.New("malformed")

	// errTooBig stands in tables for an http.MaxBytesError.
	errTooBig = errors.New("too big")
)

func rules(needed bool) httpapi.BodyRules {
	return httpapi.BodyRules{Most: 64, Needed: needed, MediaType: errMediaType, Malformed: errMalformed}
}

// take reads a body of media type "", or a JSON one. Of one that is read from a stream
// nobody knows beforehand how long it is.
func take(t *testing.T, body, media string, stream, needed bool) (order, error) {
	t.Helper()
	var from io.Reader = strings.NewReader(body)
	if stream {
		from = io.MultiReader(from)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", from)
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	got, err := httpapi.ReadBody[order](httptest.NewRecorder(), r, rules(needed))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		err = errTooBig
	}
	return got, err
}

func TestABodyIsReadOrRefusedForWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	const isJSON = "application/json"
	for what, c := range map[string]struct {
		body, media string
		needed      bool
		want        error
	}{
		"an object":                       {`{"what":"tea","count":2}`, isJSON, true, nil},
		"one with a character set":        {` {"what":"tea","count":2} `, "Application/JSON; charset=utf-8", true, nil},
		"as much as is taken":             {`{"what":"tea","count":2}` + strings.Repeat(" ", 40), isJSON, false, nil},
		"a byte more":                     {`{"what":"tea","count":2}` + strings.Repeat(" ", 41), isJSON, false, errTooBig},
		"no media type":                   {`{"what":"tea","count":2}`, "", false, errMediaType},
		"a form":                          {"what=tea", "application/x-www-form-urlencoded", false, errMediaType},
		"a media type that is none":       {`{"what":"tea","count":2}`, ";", false, errMediaType},
		"nothing, where it is needed":     {"", isJSON, true, errMalformed},
		"nothing, of no type":             {"", "", true, errMediaType},
		"blanks":                          {"  ", isJSON, false, errMalformed},
		"null":                            {" null", isJSON, false, errMalformed},
		"a list":                          {`[{}]`, isJSON, false, errMalformed},
		"text":                            {`tea`, isJSON, false, errMalformed},
		"half an object":                  {`{"what":"tea"`, isJSON, false, errMalformed},
		"two objects":                     {`{"what":"tea"}{}`, isJSON, false, errMalformed},
		"a member that is not known":      {`{"what":"tea","sugar":1}`, isJSON, false, errMalformed},
		"a member twice":                  {`{"what":"tea","what":"milk"}`, isJSON, false, errMalformed},
		"a member with a capital":         {`{"What":"tea"}`, isJSON, false, errMalformed},
		"what is not UTF-8":               {"{\"what\":\"\xff\"}", isJSON, false, errMalformed},
		"a value of another type":         {`{"count":"two"}`, isJSON, false, errMalformed},
		"a number that is too large":      {`{"count":99999999999999999999}`, isJSON, false, errMalformed},
		"much, of which nothing is known": {strings.Repeat("x", 1000), "", false, errTooBig},
	} {
		for _, stream := range []bool{false, true} {
			got, err := take(t, c.body, c.media, stream, c.needed)
			if !errors.Is(err, c.want) {
				t.Errorf("%s (stream %v): got %v, want %v", what, stream, err, c.want)
			}
			if err == nil && (got.What != "tea" || got.Count == nil || *got.Count != 2) || err != nil && got != (order{}) {
				t.Errorf("%s (stream %v): read %+v", what, stream, got)
			}
		}
	}
}

func TestNothingIsAsGoodAsAnEmptyObjectWhereNoBodyIsNeeded(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		for _, media := range []string{"", "text/plain", "application/json"} {
			if got, err := take(t, "", media, stream, false); got != (order{}) || err != nil {
				t.Errorf("of type %q (stream %v): %+v, %v", media, stream, got, err)
			}
		}
	}
}

func TestABodyThatBreaksOffIsMalformed(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is dead")
	reader, writer := io.Pipe()
	go func() {
		_, _ = io.WriteString(writer, `{"what":`)
		_ = writer.CloseWithError(broken)
	}()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", reader)
	r.Header.Set("Content-Type", "application/json")
	_, err := httpapi.ReadBody[order](httptest.NewRecorder(), r, rules(false))
	if !errors.Is(err, errMalformed) || !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestAValueOfAnotherTypeIsFoundByItsPlace(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"count":"two"}`: true, `{"count":1.5}`: true, `{"count":{}}`: true,
		`{"what":2}`: false, `{"count":`: false, `[]`: false, `{"count":1}`: false, ``: false,
	} {
		if _, err := take(t, body, "application/json", false, false); httpapi.IsTypeError(err, "/count") != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestToFindThatThereIsNoBodyCostsNothing(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
	w, all := httptest.NewRecorder(), rules(false)
	if n := testing.AllocsPerRun(100, func() { _, _ = httpapi.ReadBody[order](w, r, all) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
