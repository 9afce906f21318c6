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
		metadata := v.member("metadata") // which may also stand among the sections
		e.casTypes = slices.Insert(e.casTypes, 0, metadata.member("cas_type"))
		e.parsers = slices.Insert(e.parsers, 0, metadata.member("parser_type"))
		inner := v.member("raw_response")
		if !inner.stated() {
			inner = v.member("data")
		}
		if !inner.stated() {
			e.statement = v
			return e, nil
		}
		e.casTypes = slices.Insert(e.casTypes, 0, v.member("cas_type")) // the widget's own shape has one
		v = inner
	}
	return e, refused(v, codeTooWrapped, "The statement is wrapped in more objects than the widget wraps it in.")
}

// refuse names what certainly is no statement, nor around one.
func refuse(v value) error {
	switch v.kind() {
	case '{':
	case '[':
		return refused(v, codeWrongType, "An array was sent; send one statement, as the widget gave it to onSuccess.")
	default:
		return refused(v, codeWrongType, "There is %s where the statement should be, an object.", kindName(v.kind()))
	}
	status := v.member("status")
	switch ended := strings.ToLower(status.text()); {
	case ended == "closed" || ended == "error" || ended == "failed":
		return refused(status, codeNoSuccess, "A result with the status %q was sent; only what the widget gives after success can be saved.", ended)
	case states(v, sections...) || states(v, "raw_response", "data"): // what stands beside these does not matter
		return nil
	}
	for _, answer := range answers {
		if states(v, answer.names...) {
			return refused(v, answer.code, "%s", answer.detail)
		}
	}
	return nil
}

// answers are the things other than a statement that apps have at hand, each by
// members that it alone has. The first that fits is named.
var answers = []struct {
	code   string
	names  []string
	detail string
}{
	{
		codeInboundEmail, []string{"inbound_email_id"},
		"A notice of forwarded mail was sent; it names files but holds no statement.",
	},
	{
		codeContractNote, []string{"contract_note_info", "contract_note", "contract_note_number", "equity_transactions"},
		"A broker's contract note was sent; only consolidated account statements are kept.",
	},
	{
		codeKYC, []string{"kyc_status", "kyc_compliant", "kras", "kra", "kyc", "identity"},
		"An answer about KYC was sent; only consolidated account statements are kept.",
	},
	{
		codeAccessToken, []string{"access_token"},
		"An access token was sent instead of a statement; treat it as leaked if you keep what you send.",
	},
	{codeFileList, []string{"files"}, "A list of files was sent; it names statements but holds none."},
	{
		codeNoSuccess, []string{"error"},
		"An error was sent; only what the widget gives after success can be saved.",
	},
	{
		codeNoRaw, []string{"investor_info", "folios"},
		"The widget's own shape was sent without raw_response, the vendor's data, from which a portfolio is kept.",
	},
}

// states reports whether v has a member that is called by one of names and is not null.
func states(v value, names ...string) bool {
	for _, name := range names {
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
