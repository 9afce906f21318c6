package statement

import (
	"fmt"

	"casbroker/internal/fault"
)

// Codes of what makes a body no statement. They are part of the API, as are those
// that follow.
const (
	codeWrongType      = "wrong_type"            // another kind of JSON value is wanted
	codeNoSuccess      = "no_success"            // the result of closing the widget, or of an error
	codeInboundEmail   = "inbound_email"         // a notice of forwarded mail
	codeContractNote   = "contract_note"         // a broker's contract note
	codeKYC            = "kyc"                   // an answer about KYC
	codeAccessToken    = "access_token"          // an answer with a token
	codeFileList       = "file_list"             // a list of statements as PDF
	codeNoRaw          = "no_raw_response"       // the widget's own shape without the vendor's data
	codeTooWrapped     = "wrapped_too_often"     // more envelopes than there can be
	codeNoIssuer       = "missing_cas_type"      // nothing says who issued the statement
	codeUnknownIssuer  = "unknown_cas_type"      // another issuer than CDSL, NSDL, CAMS and KFintech
	codeNoSection      = "no_section"            // none of the four sections is there
	codeReversed       = "period_reversed"       // the period ends before it begins
	codeFuture         = "period_in_future"      // the period ends after today
	codeInvalidDate    = "invalid_date"          // an end of the period is no date
	codeTooLong        = "too_long"              // a text that is to be kept has more than 1024 bytes
	codeNegative       = "negative"              // an amount that cannot be negative is
	codeOutOfRange     = "out_of_range"          // a number has more digits than are taken
	codeTooManyRows    = "too_many_rows"         // more than MaxRows
	codeTooManyLines   = "too_many_transactions" // more than 100000
	codeTooMuchRefused = "too_many_rejected"     // more than 1000
)

// Codes of why a row is not kept.
const (
	codeEmptyRow     = "empty_row"     // it says nothing: no name, no ISIN, no amount but zero
	codeUnknownClass = "unknown_class" // the list that it is in is none of the known ones
)

// Codes of warnings.
const (
	codeIssuerMismatch = "cas_type_mismatch"        // two places name two issuers
	codeParserMismatch = "parser_type_mismatch"     // it was read by the parser of another issuer
	codeNoPeriod       = "missing_period"           // no period is stated
	codeHalfPeriod     = "incomplete_period"        // one end of it is
	codeInvalidInstant = "invalid_generated_at"     // no instant in a form that is known
	codeInvalidPAN     = "invalid_pan"              // no PAN, masked or not
	codeInvalidISIN    = "invalid_isin"             // no ISIN
	codeCheckDigit     = "isin_check_digit"         // an ISIN whose last digit is wrong
	codeNoName         = "missing_name"             // a row that is kept has no name
	codeTotal          = "total_mismatch"           // the statement's total is not the sum of its rows
	codeSectionTotal   = "section_total_mismatch"   // that of a section
	codeAccountTotal   = "account_total_mismatch"   // that of an account or a folio
	codeAccountCount   = "account_count_mismatch"   // the summary counts other accounts than there are
	codeNoRows         = "value_without_rows"       // an account has a value and no rows
	codeEmptyLine      = "empty_transaction"        // a transaction that says nothing was left out
	codeLineDate       = "invalid_transaction_date" // a transaction's date is none and was left out
	codeUnknownLine    = "unknown_transaction_type" // a type that the vendor does not name
	codeLedger         = "ledger_mismatch"          // balances or units do not follow from one another
	codeNotUnderstood  = "not_understood"           // a member that is not known holds value and was left out
	codeOtherCase      = "wrong_case"               // a member whose name differs from a known one in its case was left out
	codeMoreWarnings   = "more_warnings"            // there are more than can be listed
)

// maxFindings is how much is told of what is wrong, and of what is odd.
const maxFindings = 200

// wrong notes why the statement cannot be taken.
func (r *reader) wrong(v value, code, format string, args ...any) {
	if len(r.faults) < maxFindings {
		r.faults = append(r.faults, finding(v, code, format, args...))
	}
}

// warn notes what is odd about a value that was taken nevertheless.
func (r *reader) warn(v value, code, format string, args ...any) {
	switch n := len(r.warnings); {
	case n < maxFindings:
		r.warnings = append(r.warnings, finding(v, code, format, args...))
	case n == maxFindings:
		r.warnings = append(r.warnings, finding(value{}, codeMoreWarnings, "There are more warnings than can be listed."))
	}
}

// finding tells something about v, in a sentence that has nothing of the investor's.
func finding(v value, code, format string, args ...any) fault.Field {
	f := fault.Field{Code: code, Detail: fmt.Sprintf(format, args...)}
	if v.kind() != 0 {
		f.Pointer = v.pointer()
	}
	return f
}
