package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const mediaType = "application/json"

var errNoObject = errors.New("the body is not a JSON object")

// BodyRules say what a request body must be, and which errors report that it is not.
type BodyRules struct {
	Most      int64 // bytes
	Needed    bool  // an empty body is not as good as {}
	MediaType error // returned for a body that is not application/json
	// Malformed is returned, and the cause with it, for what cannot be read as such an
	// object. The cause may repeat what was sent.
	Malformed error
}

// ReadBody reads the JSON object in the body of r, strictly: each member is known, occurs
// once and is valid UTF-8. It returns the zero T for an empty body that is not Needed.
// Besides the errors of rules it returns an http.MaxBytesError.
func ReadBody[T any](w http.ResponseWriter, r *http.Request, rules BodyRules) (T, error) {
	var none T
	body, err := all(w, r, rules.Most)
	_, tooBig := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooBig:
		return none, err
	case err != nil:
		return none, because(rules.Malformed, err)
	case len(body) == 0 && !rules.Needed:
		return none, nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != mediaType {
		return none, rules.MediaType
	}
	if jsontext.Value(body).Kind() != jsontext.KindBeginObject {
		return none, because(rules.Malformed, errNoObject)
	}
	var req T
	if err := json.Unmarshal(body, &req, json.RejectUnknownMembers(true)); err != nil {
		return none, because(rules.Malformed, err)
	}
	return req, nil
}

// all reads a body of at most most bytes. To find out that there is none costs nothing.
func all(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, most))
}

func because(err, cause error) error { return fmt.Errorf("%w: %w", err, cause) }

// IsTypeError reports whether ReadBody returned err because the value at pointer (RFC
// 6901) has the wrong JSON type.
func IsTypeError(err error, pointer string) bool {
	wrong, ok := errors.AsType[*json.SemanticError](err)
	return ok && string(wrong.JSONPointer) == pointer
}
