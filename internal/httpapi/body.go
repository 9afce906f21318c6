package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

var errNotObject = errors.New("the body is not a JSON object")

// BodyRules say what the request body of a route must be.
type BodyRules struct {
	MaxBytes int64
	Required bool   // false: an empty body is the same as {}
	Example  string // a valid body, for the text of ErrJSON: {"grant_id": "gr_…"}
	Text     bool   // JSON as text/plain, or without a media type, will do, too
	Secret   bool   // the body has a secret: ErrJSON comes without its cause, and without unknown names, which may repeat it
}

// ReadBody reads the JSON object in the body of r, strictly: each member is known, occurs
// once and is valid UTF-8. It returns the zero T for an empty body that is not Required.
// It fails with ErrEncoding, ErrMediaType, ErrJSON, ErrBodyTooSlow or an http.MaxBytesError.
func ReadBody[T any](w http.ResponseWriter, r *http.Request, rules BodyRules) (T, error) {
	var zero T
	body, err := readAtMost(w, r, rules.MaxBytes)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge, errors.Is(err, ErrBodyTooSlow):
		return zero, err
	case err != nil:
		return zero, rules.malformed(err)
	case len(body) == 0 && !rules.Required:
		return zero, nil
	}
	if err := RefuseEncoding(r.Header); err != nil {
		return zero, err
	}
	if !rules.accept(r.Header.Get("Content-Type")) {
		return zero, rules.mediaType()
	}
	if jsontext.Value(body).Kind() != jsontext.KindBeginObject {
		return zero, rules.malformed(errNotObject)
	}
	var req T
	if err := json.Unmarshal(body, &req, json.RejectUnknownMembers(true)); err != nil {
		return zero, rules.malformed(err)
	}
	return req, nil
}

// RefuseEncoding returns ErrEncoding unless a body with this header is as it was, which
// "identity" says, too.
func RefuseEncoding(h http.Header) error {
	for _, coding := range h.Values("Content-Encoding") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return ErrEncoding
		}
	}
	return nil
}

// accept reports whether a body with this content type is taken for JSON.
func (b BodyRules) accept(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && media == "application/json":
		return true
	case !b.Text:
		return false
	default:
		return contentType == "" || err == nil && media == "text/plain"
	}
}

// IsTypeError reports whether ReadBody returned err because the value at pointer (RFC
// 6901) has the wrong JSON type.
func IsTypeError(err error, pointer string) bool {
	wrong, ok := errors.AsType[*json.SemanticError](err)
	return ok && string(wrong.JSONPointer) == pointer
}

// readAtMost reads a body of at most limit bytes. An absent body costs no allocation.
func readAtMost(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

// malformed returns ErrJSON with cause, which may repeat what was sent, for the log. It says
// which member is unknown or has the wrong type, if that is the cause.
func (b BodyRules) malformed(cause error) error {
	want := "be empty, or a JSON object"
	if b.Required {
		want = "be a JSON object"
	}
	f := ErrJSON.Withf("The body must %s such as %s.", want, b.Example)
	wrong, ok := errors.AsType[*json.SemanticError](cause)
	switch {
	case !ok || wrong.JSONPointer == "":
	case errors.Is(wrong.Err, json.ErrUnknownName):
		f = ErrJSON.Withf("The body has a member that this call does not take. It must %s such as %s.", want, b.Example)
		if !b.Secret {
			f = f.At(fault.Field{Pointer: string(wrong.JSONPointer), Detail: "is not a member that this call takes"})
		}
	default:
		f = ErrJSON.Withf("The body has a member of a wrong type. It must %s such as %s.", want, b.Example).
			At(fault.Field{Pointer: string(wrong.JSONPointer), Detail: "has a wrong type or form"})
	}
	if b.Secret {
		return f
	}
	return f.Because(cause)
}

func (b BodyRules) mediaType() error {
	if b.Required {
		return ErrMediaType
	}
	return ErrMediaType.Withf("Send the body as application/json, or send none.")
}
