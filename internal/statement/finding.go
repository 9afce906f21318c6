package statement

import (
	"fmt"

	"casbroker/internal/fault"
)

// Codes of faults: why a body is not accepted. All codes are part of the API.
const (
	codeWrongType           = "wrong_type"            // another kind of JSON value is expected
	codeNoSuccess           = "no_success"            // the widget's result after it was closed or failed
	codeInboundEmail        = "inbound_email"         // a notice of forwarded mail
	codeContractNote        = "contract_note"         // a broker's contract note
	codeKYC                 = "kyc"                   // an answer about KYC
	codeAccessToken         = "access_token"          // an answer with a token
	codeFileList            = "file_list"             // a list of statements as PDF
	codeNoRawResponse       = "no_raw_response"       // the widget's own shape without the vendor's data
	codeTooWrapped          = "wrapped_too_often"     // more than maxEnvelopes
	codeNoIssuer            = "missing_cas_type"      // no member names the issuer
	codeUnknownIssuer       = "unknown_cas_type"      // an issuer other than CDSL, NSDL, CAMS and KFintech
	codeNoSection           = "no_section"            // none of the four sections is present
	codePeriodReversed      = "period_reversed"       // the period ends before it begins
	codePeriodInFuture      = "period_in_future"      // the period ends after today
	codeInvalidDate         = "invalid_date"          // an end of the period is not a date; a warning
	codeTooLong             = "too_long"              // a string that is stored has more than 1024 bytes
	codeNegative            = "negative"              // an amount that must not be negative is
	codeOutOfRange          = "out_of_range"          // a number has too many digits
	codeTooManyRows         = "too_many_rows"         // more than MaxRows
	codeTooManyAccounts     = "too_many_accounts"     // more than MaxRows
	codeTooManyTransactions = "too_many_transactions" // more than 100000
	codeTooManyRejected     = "too_many_rejected"     // more than 1000
)

// Codes of rejected rows: why a row is not stored.
const (
	codeEmptyRow     = "empty_row"     // no name, no ISIN and no amount other than zero
	codeUnknownClass = "unknown_class" // the row is in an unknown list
	// Rows with a value that cannot be used are rejected, too, with wrong_type, negative,
	// out_of_range or too_long.
)

// Codes of warnings.
const (
	codeIssuerMismatch   = "cas_type_mismatch"        // two members name different issuers
	codeParserMismatch   = "parser_type_mismatch"     // the vendor's parser is for another issuer
	codeNoPeriod         = "missing_period"           // no period is stated
	codeHalfPeriod       = "incomplete_period"        // one end of the period is missing
	codeInvalidTime      = "invalid_generated_at"     // not a time in a known format
	codeInvalidPAN       = "invalid_pan"              // not a PAN, masked or not
	codeInvalidISIN      = "invalid_isin"             // not an ISIN
	codeCheckDigit       = "isin_check_digit"         // an ISIN with a wrong last digit
	codeNoName           = "missing_name"             // a stored row has no name
	codeResidue          = "rounding_residue"         // an amount is below zero by a residue of rounding
	codeRepaired         = "isin_repaired"            // an ISIN had characters in it that do not belong there
	codeTooManyHolders   = "too_many_holders"         // more than maxHolders of one account
	codeEncumbered       = "locked_units"             // rows state units that are locked or pledged
	codeUnchecked        = "total_unchecked"          // the total has parts of which the value is not known
	codePeriodMismatch   = "period_mismatch"          // two members state different periods
	codeTimeForDate      = "time_for_date"            // an end of the period is a time
	codeSecond           = "second_statement"         // sections next to the data that is read
	codeOtherName        = "wrong_name"               // a known name without its underscores was left out
	codeTotal            = "total_mismatch"           // the total is not the sum of all rows
	codeSectionTotal     = "section_total_mismatch"   // the total of a section is not the sum of its rows
	codeAccountTotal     = "account_total_mismatch"   // the total of an account or a folio is not the sum of its rows
	codeAccountCount     = "account_count_mismatch"   // the summary's number of accounts is not that of the section
	codeNoRows           = "value_without_rows"       // an account has a value and no rows
	codeEmptyTransaction = "empty_transaction"        // a transaction without content was left out
	codeTransactionDate  = "invalid_transaction_date" // a transaction's date is not a date and was left out
	codeTransactionType  = "unknown_transaction_type" // a type that is not one of the vendor's
	codeLedger           = "ledger_mismatch"          // balances or units do not follow from one another
	codeNotUnderstood    = "not_understood"           // an unknown member that holds value was left out
	codeOtherCase        = "wrong_case"               // a known name in another case was left out
	codeMetadata         = "metadata_left_out"        // metadata is not an object, or has more than MaxMetadata bytes
	codeMoreWarnings     = "more_warnings"            // there are more warnings than are listed
)

// maxFindings is the number of faults, and of warnings, that are listed.
const maxFindings = 200

// fault records why the statement is not accepted.
func (r *reader) fault(v value, code, format string, args ...any) {
	if len(r.faults) < maxFindings {
		r.faults = append(r.faults, newFinding(v, code, format, args...))
	}
}

// warn records something odd about a value that does not stop the statement from being
// accepted.
func (r *reader) warn(v value, code, format string, args ...any) {
	switch n := len(r.warnings); {
	case n < maxFindings:
		r.warnings = append(r.warnings, newFinding(v, code, format, args...))
	case n == maxFindings:
		r.warnings = append(r.warnings, newFinding(value{}, codeMoreWarnings, "There are more warnings than can be listed."))
	}
}

// newFinding returns a finding about v. The sentence must not contain anything about
// the investor.
func newFinding(v value, code, format string, args ...any) fault.Field {
	f := fault.Field{Code: code, Detail: fmt.Sprintf(format, args...)}
	if v.kind() != 0 {
		f.Pointer = v.pointer()
	}
	return f
}
