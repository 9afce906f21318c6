package ingest

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"casbroker/internal/apikey"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// Failures that the vendor reports.
var (
	// ErrNotParsed is returned for a document that the vendor cannot read. Its code is the
	// vendor's, in lower case, if that has one.
	ErrNotParsed = fault.New(fault.Unprocessable, "statement_not_parsed", "The statement could not be read.")

	errVendorFailed = fault.New(fault.Unavailable, "upstream_failed",
		"The statement service failed; try again in a minute.").After(time.Minute)
	errVendorBusy = fault.New(fault.Limited, "rate_limited", "The statement service is busy; try again later.").WithReason("vendor_rate").After(time.Minute)
)

// remedies say what a user can do, by the code of the problem.
var remedies = map[string]string{
	"invalid_password":   "The password of an account statement is usually the investor's PAN in capital letters.",
	"invalid_pdf":        "Send the PDF as CDSL, NSDL, CAMS or KFintech mailed it: not a photo, not a scan, not one that was printed to PDF.",
	"unsupported_format": "Send a Consolidated Account Statement of CDSL, NSDL, CAMS or KFintech, not another document.",
	"file_too_large":     "A statement may have 10 MB.",
	"parsing_error":      "If this is a Consolidated Account Statement as it was mailed, not a scan, ask for a new one and try that.",
	"":                   "Send a Consolidated Account Statement as it was mailed (not a scan), with its password: usually the PAN in capital letters.",
}

// documentCodes are the vendor's codes for a document that it cannot read, whatever the
// status.
var documentCodes = regexp.MustCompile(`^(INVALID_PASSWORD|INVALID_PDF|UNSUPPORTED_FORMAT|FILE_TOO_LARGE|PARSING_ERROR)$`)

// vendorError is an error in one of the vendor's forms.
type vendorError struct {
	Status string `json:"status"`
	Msg    string `json:"msg"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// failureOf returns the problem that an answer of the vendor means; nil for a success.
func failureOf(a Answer) error {
	var e vendorError
	_ = json.Unmarshal(a.Body, &e) // not an error then, or one without words
	e.Code = strings.ToUpper(e.Code)
	failed := e.Status == "failed" || e.Status == "error"
	switch {
	case a.Status == http.StatusPaymentRequired:
		return apikey.ErrOutOfCredits
	case a.Status == http.StatusTooManyRequests:
		if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err == nil && seconds > 0 {
			return errVendorBusy.After(time.Duration(seconds) * time.Second)
		}
		return errVendorBusy
	case a.Status < 300 && !failed:
		return nil
	case a.Status >= 500 && !documentCodes.MatchString(e.Code):
		return errVendorFailed
	default:
		return notParsed(e)
	}
}

// notParsed returns ErrNotParsed with the vendor's words and a remedy.
func notParsed(e vendorError) error {
	f := *ErrNotParsed
	code := ""
	switch text := strings.ToLower(e.Msg + e.Detail); {
	case documentCodes.MatchString(e.Code):
		code = strings.ToLower(e.Code)
	case strings.Contains(text, "password"):
		code = "invalid_password"
	case strings.Contains(text, "pdf"):
		code = "invalid_pdf"
	}
	if code != "" {
		f.Code = code
	}
	words := sentence(e.Msg)
	if words == "" {
		words = sentence(e.Detail)
	}
	if words == "" {
		words = ErrNotParsed.Detail
	}
	f.Detail = words + " " + remedies[code]
	return &f
}

// maxWords is how much of the vendor's words is passed on, in characters.
const maxWords = 300

// sentence returns text on one line, with a full stop.
func sentence(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(text); len(runes) > maxWords {
		text = string(runes[:maxWords]) + "…"
	}
	if text != "" && !strings.ContainsAny(text[len(text)-1:], ".!?") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}

// explain returns the caller's error for a call that the vendor did not answer. One that the
// vendor may not have got at all is worth another try.
func explain(err error) error {
	if errors.Is(err, httpapi.ErrBodyMemory) {
		return ErrJobs.Because(err)
	}
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Code != "upstream_unavailable" {
		return err
	}
	unavailable := *f
	unavailable.Kind = fault.Unavailable
	unavailable.RetryAfter = max(f.RetryAfter, 10*time.Second)
	return unavailable.Because(err)
}
