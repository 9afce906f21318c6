package statement

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// maxEnvelopes is how many objects may be around a statement: an answer around
// the widget's own shape around the vendor's makes two.
const maxEnvelopes = 4

var errStatement = fault.New(fault.Unprocessable, "not_a_statement",
	"The body holds no consolidated account statement that can be read.")

// unwrap finds the statement in a body that strict has passed, and where in the
// body it is. The vendor's own data under raw_response comes before data, and that
// before the object itself, so that nothing is counted twice.
func unwrap(body []byte) (jsontext.Value, string, error) {
	value, pointer := jsontext.Value(bytes.TrimSpace(body)), ""
	for range maxEnvelopes {
		if value.Kind() != '{' {
			return nil, "", errStatement.At(wrongType(pointer, "an object", value.Kind()))
		}
		members, err := pick(value, "raw_response", "data", "status", "investor_info", "folios")
		if err != nil {
			return nil, "", err
		}
		inner := ""
		for _, name := range []string{"raw_response", "data"} {
			if v, ok := members[name]; ok && v.Kind() != 'n' {
				inner = name
				break
			}
		}
		if inner == "" {
			return value, pointer, refuse(members, pointer)
		}
		value, pointer = members[inner], pointer+"/"+inner
	}
	return nil, "", errStatement.At(fault.Field{Pointer: pointer, Code: "wrapped_too_often",
		Detail: "the statement must not be wrapped in more objects than the widget wraps it in"})
}

// refuse names what certainly is no statement in words of its own.
func refuse(members map[string]jsontext.Value, pointer string) error {
	status := strings.Trim(string(members["status"]), `"`)
	switch {
	case status == "closed" || status == "error" || status == "failed":
		return errStatement.At(fault.Field{Pointer: pointer + "/status", Code: "no_success",
			Detail: "the widget ended with " + status + "; only what it gives after success can be saved"})
	case members["investor_info"] != nil || members["folios"] != nil:
		return errStatement.At(fault.Field{Pointer: pointer + "/raw_response", Code: "missing",
			Detail: "the widget's own shape must bring the vendor's data as raw_response"})
	}
	return nil
}

// pick returns those members of object that are named.
func pick(object jsontext.Value, names ...string) (map[string]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), trusted)
	if _, err := dec.ReadToken(); err != nil {
		return nil, syntax(object, err)
	}
	found := map[string]jsontext.Value{}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, syntax(object, err)
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, syntax(object, err)
		}
		if slices.Contains(names, key) {
			end := int(dec.InputOffset())
			found[key] = object[end-len(value) : end]
		}
	}
	return found, nil
}

func wrongType(pointer, want string, got jsontext.Kind) fault.Field {
	return fault.Field{Pointer: pointer, Code: "wrong_type", Detail: "must be " + want + ", not " + kindName(got)}
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	default:
		return "a truth value"
	}
}
