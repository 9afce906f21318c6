package statement

import (
	"fmt"
	"slices"
	"strings"

	"casbroker/internal/fault"
)

// maxEnvelopes is how many objects may be around a statement: the widget's result
// around the vendor's answer around the widget's own shape around the vendor's
// data makes four.
const maxEnvelopes = 4

var errStatement = fault.New(fault.Unprocessable, "not_a_statement",
	"The body holds no consolidated account statement that can be read.")

// envelope is a statement with what stood around it.
type envelope struct {
	statement value
	casTypes  []value // what the envelopes call its issuer, the innermost first
	parsers   []value // what they call its parser
}

// unwrap finds the statement in a document. The vendor's own data under
// raw_response comes before data, and that before the object itself, so that
// nothing is counted twice. What is no statement is refused in words of its own.
func unwrap(v value) (envelope, error) {
	var e envelope
	for range maxEnvelopes + 1 {
		if err := refuse(v); err != nil {
			return e, err
		}
		inner := v.member("raw_response")
		if inner.stated() {
			e.casTypes = slices.Insert(e.casTypes, 0, v.member("cas_type")) // the widget's own shape has one
		} else if inner = v.member("data"); !inner.stated() {
			e.statement = v
			return e, nil
		}
		metadata := v.member("metadata")
		e.casTypes = slices.Insert(e.casTypes, 0, metadata.member("cas_type"))
		e.parsers = slices.Insert(e.parsers, 0, metadata.member("parser_type"))
		v = inner
	}
	return e, refused(v, "wrapped_too_often", "The statement is wrapped in more objects than the widget wraps it in.")
}

// refuse names what certainly is no statement.
func refuse(v value) error {
	switch v.kind() {
	case '{':
	case '[':
		return refused(v, "wrong_type", "An array was sent; send one statement, as the widget gave it to onSuccess.")
	default:
		return refused(v, "wrong_type", "There is %s where the statement should be, an object.", kindName(v.kind()))
	}
	status := v.member("status")
	switch ended := strings.ToLower(status.text()); {
	case ended == "closed" || ended == "error" || ended == "failed":
		return refused(status, "no_success", "A result with the status %q was sent; only what the widget gives after success can be saved.", ended)
	case sectioned(v):
		return nil
	case v.member("inbound_email_id").stated():
		return refused(v, "inbound_email", "A notice of forwarded mail was sent; it names files but holds no statement.")
	case v.member("contract_note").stated() || v.member("contract_note_info").stated() || v.member("contract_note_number").stated():
		return refused(v, "contract_note", "A broker's contract note was sent; only consolidated account statements are kept.")
	case v.member("kyc").stated() || v.member("kyc_status").stated() || v.member("kra").stated():
		return refused(v, "kyc", "An answer about KYC was sent; only consolidated account statements are kept.")
	case v.member("access_token").stated():
		return refused(v, "access_token", "An access token was sent instead of a statement; treat it as leaked if you keep what you send.")
	case v.member("raw_response").stated() || v.member("data").stated():
		return nil
	case v.member("investor_info").stated() || v.member("folios").stated():
		return refused(v, "no_raw_response", "The widget's own shape was sent without raw_response, the vendor's data, from which a portfolio is kept.")
	}
	return nil
}

// sectioned reports whether v has a section of a statement.
func sectioned(v value) bool {
	for _, name := range sections {
		if v.member(name).stated() {
			return true
		}
	}
	return false
}

func refused(v value, code, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	return errStatement.Withf("%s", detail).At(fault.Field{Pointer: v.pointer(), Code: code, Detail: detail})
}
