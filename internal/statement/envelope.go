package statement

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// maxEnvelopes is how many objects may be around a statement. Four occur: the widget's
// result, the vendor's answer, the widget's own shape and the vendor's data.
const maxEnvelopes = 4

var errStatement = fault.New(fault.Unprocessable, "not_a_statement",
	"The body is not a consolidated account statement that can be read.")

// envelope is a statement with what the objects around it say about it.
type envelope struct {
	statement value
	casTypes  []value // members that name the issuer, innermost first
	parsers   []value // members that name the vendor's parser, innermost first
	metadata  value   // the outermost one; absent without any
	others    []value // parts of other statements next to the one that is read
}

// unwrap finds the statement in a document. It prefers raw_response, the vendor's own
// data, to data, and data to the object itself, so nothing is counted twice. It
// returns not_a_statement with a specific code for other payloads that it recognizes.
func unwrap(v value) (envelope, error) {
	var e envelope
	for range maxEnvelopes + 1 {
		if err := checkPayload(v); err != nil {
			return e, err
		}
		metadata := v.member("metadata") // in an envelope or among the sections
		if !e.metadata.present() {
			e.metadata = metadata
		}
		e.casTypes = slices.Insert(e.casTypes, 0, metadata.member("cas_type"))
		e.parsers = slices.Insert(e.parsers, 0, metadata.member("parser_type"))
		inner := v.member("raw_response")
		if data := v.member("data"); !inner.present() {
			inner = data
		} else if data.is('{') && (hasAny(data, sectionNames...) || data.member("raw_response").present()) {
			e.others = append(e.others, data)
		}
		if !inner.present() {
			e.statement = v
			return e, nil
		}
		e.casTypes = slices.Insert(e.casTypes, 0, v.member("cas_type")) // part of the widget's own shape
		e.others = append(e.others, sectionsOf(v)...)
		v = inner
	}
	return e, notStatement(v, codeTooWrapped, "The statement is wrapped in too many objects; send what the widget passed to onSuccess.")
}

// sectionsOf returns the sections of v that are not empty.
func sectionsOf(v value) (list []value) {
	for _, name := range sectionNames {
		if m := v.member(name); (m.kind() == '[' || m.kind() == '{') && m.node().end > m.at+1 {
			list = append(list, m)
		}
	}
	return list
}

// Unwrap returns the statement within body as it was written, without the objects around
// it. body must be one that Parse accepts.
func Unwrap(body []byte) (jsontext.Value, error) {
	v := jsontext.Value(bytes.TrimSpace(body))
	for range maxEnvelopes {
		var e struct {
			RawResponse jsontext.Value `json:"raw_response"`
			Data        jsontext.Value `json:"data"`
		}
		if err := json.Unmarshal(v, &e); err != nil {
			return nil, err
		}
		switch {
		case isPresent(e.RawResponse):
			v = e.RawResponse
		case isPresent(e.Data):
			v = e.Data
		default:
			return v, nil
		}
	}
	return v, nil
}

func isPresent(v jsontext.Value) bool { return len(v) > 0 && v.Kind() != jsontext.KindNull }

// checkPayload returns an error if v is neither a statement nor an envelope of one.
func checkPayload(v value) error {
	switch v.kind() {
	case '{':
	case '[':
		return notStatement(v, codeWrongType, "An array was sent; send one statement, as the widget passed it to onSuccess.")
	default:
		return notStatement(v, codeWrongType, "The statement must be an object, not %s.", kindName(v.kind()))
	}
	status := v.member("status")
	switch s := strings.ToLower(status.text()); {
	case s == "closed" || s == "error" || s == "failed":
		return notStatement(status, codeNoSuccess, "A result with the status %q was sent; only the result of a success can be saved.", s)
	case hasAny(v, sectionNames...) || hasAny(v, "raw_response", "data"): // other members do not matter then
		return nil
	}
	for _, other := range otherPayloads {
		if hasAny(v, other.names...) {
			return notStatement(v, other.code, "%s", other.detail)
		}
	}
	return nil
}

// otherPayloads are payloads that apps send by mistake, each recognized by members that
// only it has. The first match decides.
var otherPayloads = []struct {
	code   string
	names  []string
	detail string
}{
	{
		codeInboundEmail, []string{"inbound_email_id"},
		"A notice of forwarded mail was sent; it lists files but contains no statement.",
	},
	{
		codeContractNote, []string{"contract_note_info", "contract_note", "contract_note_number", "equity_transactions"},
		"A broker's contract note was sent; only consolidated account statements can be saved.",
	},
	{
		codeKYC, []string{"kyc_status", "kyc_compliant", "kras", "kra", "kyc", "identity"},
		"An answer about KYC was sent; only consolidated account statements can be saved.",
	},
	{
		codeAccessToken, []string{"access_token"},
		"An access token was sent instead of a statement; treat it as leaked if your app stores or logs what it sends.",
	},
	{codeFileList, []string{"files"}, "A list of files was sent; it names statements but contains none."},
	{
		codeNoSuccess, []string{"error"},
		"An error was sent; only the result of a success can be saved.",
	},
	{
		codeNoRawResponse, []string{"investor_info", "folios"},
		"The widget's own shape was sent without raw_response, which holds the vendor's data that is saved.",
	},
}

// hasAny reports whether v has a member with one of these names that is not null.
func hasAny(v value, names ...string) bool {
	for _, name := range names {
		if v.member(name).present() {
			return true
		}
	}
	return false
}

// notStatement returns errStatement with one finding, which is also the detail.
func notStatement(v value, code, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	return errStatement.Withf("%s", detail).At(fault.Field{Pointer: v.pointer(), Code: code, Detail: detail})
}
