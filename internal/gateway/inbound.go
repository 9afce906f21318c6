package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

const (
	// maxCallback is the largest body of a callback, in bytes.
	maxCallback = 256 << 10
	// maxCallbackFiles is how many files one callback may report.
	maxCallbackFiles = 50
	// maxMember is the longest member of a file in a callback, in bytes.
	maxMember = 4096
)

// Inbound receives the vendor's callbacks about forwarded mail. They have no signature:
//
//	secret in the path ── finds ──▶ the address and its user
//	inbound_email_id, reference ── must be those of that address
//	file URLs ── must be on hosts of the vendor
//
// Anything else has no effect. The vendor repeats a callback until it is answered with
// success, so that is given only after the files are stored. All fields but Observe
// are required.
type Inbound struct {
	Mail      *Mail
	Reference func(subject string) string // as that of Handler
	FileHosts FileHosts
	// Observe is called with the outcome of each callback, a constant of this package.
	Observe func(outcome string)
}

// The outcomes of callbacks.
const (
	CallbackStored   = "stored"   // with new files
	CallbackRepeated = "repeated" // all files were known
	CallbackUnknown  = "unknown"  // no address has this secret
	CallbackRefused  = "refused"  // not what the vendor sends about this address
	CallbackFailed   = "failed"   // not stored; the vendor tries again
)

var (
	// ErrNoCallback is returned for a callback with an unknown secret.
	ErrNoCallback = fault.New(fault.NotFound, "not_found", "There is nothing at this path.")

	errCallbackBody = fault.New(fault.Invalid, "invalid_callback", "This is not a notice of forwarded mail for this address.")
)

// Reasons why a callback is refused, for the log.
var (
	errNotJSON     = errors.New("the body is not a JSON object of the expected form")
	errOtherID     = errors.New("inbound_email_id is not that of the address")
	errReference   = errors.New("reference is not that of the address")
	errFileCount   = errors.New("files has too many elements")
	errFileForm    = errors.New("a file has a member of an unexpected form")
	errFileName    = errors.New("a file has no message_id or filename")
	errFileHost    = errors.New("a file's URL is not on a host of the vendor; if it is one, add it to inbound.file_hosts")
	secretPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	callbackFields = []string{ // of a file, that are stored
		"message_id", "filename", "original_filename", "message_date", "cas_type", "sender_email", "size", "url", "expires_in",
	}
)

// callbackOutcome returns the outcome of a callback.
func callbackOutcome(a Arrival, err error) string {
	f, isFault := errors.AsType[*fault.Fault](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil && a.Files > 0:
		return CallbackStored
	case err == nil:
		return CallbackRepeated
	case errors.Is(err, ErrNoCallback):
		return CallbackUnknown
	case tooLarge, isFault && f.Kind == fault.Invalid:
		return CallbackRefused
	default:
		return CallbackFailed
	}
}

// receive stores the files that body reports for the address of secret.
func (h *Inbound) receive(ctx context.Context, secret string, body io.Reader) (Arrival, error) {
	if !secretPattern.MatchString(secret) {
		return Arrival{}, ErrNoCallback
	}
	address, err := h.Mail.Store.CallbackAddress(ctx, secret)
	if err != nil {
		return Arrival{}, err
	}
	if address.ID == "" {
		return Arrival{}, ErrNoCallback
	}
	text, err := io.ReadAll(body)
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return Arrival{}, err
		}
		return Arrival{}, errAborted.Because(err)
	}
	files, err := h.read(address, text)
	if err != nil {
		return Arrival{}, errCallbackBody.Because(err)
	}
	if len(files) == 0 {
		return Arrival{}, nil
	}
	a, err := h.Mail.add(ctx, address, files, "")
	if errors.Is(err, ErrNoAddress) { // deleted meanwhile
		return a, ErrNoCallback
	}
	return a, err
}

// read returns the files of a callback about address. It returns an error if the vendor
// would not have sent it. The error repeats nothing of the callback but a host.
func (h *Inbound) read(address MailAddress, text []byte) ([]MailFile, error) {
	var body struct {
		ID        string                       `json:"inbound_email_id"`
		Reference *string                      `json:"reference"`
		Files     *[]map[string]jsontext.Value `json:"files"`
	}
	switch {
	case jsontext.Value(text).Kind() != jsontext.KindBeginObject, json.Unmarshal(text, &body) != nil, body.Files == nil:
		return nil, errNotJSON
	case body.ID != address.ID:
		return nil, errOtherID
	case body.Reference != nil && *body.Reference != h.Reference(address.Subject):
		return nil, errReference
	case len(*body.Files) > maxCallbackFiles:
		return nil, errFileCount
	}
	files := make([]MailFile, len(*body.Files))
	for i, members := range *body.Files {
		var err error
		if files[i], err = h.readFile(members); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// readFile returns a file of a callback, with its known members only.
func (h *Inbound) readFile(members map[string]jsontext.Value) (MailFile, error) {
	known := make(map[string]jsontext.Value, len(callbackFields))
	for _, name := range callbackFields {
		value, ok := members[name]
		if !ok {
			continue
		}
		simple := value.Kind() != jsontext.KindBeginObject && value.Kind() != jsontext.KindBeginArray
		if !simple || len(value) > maxMember || strings.ContainsFunc(memberText(members, name), isControl) {
			return MailFile{}, errFileForm
		}
		known[name] = value
	}
	if memberText(known, "message_id") == "" || memberText(known, "filename") == "" {
		return MailFile{}, errFileName
	}
	if address := memberText(known, "url"); !h.FileHosts.Allow(address) {
		return MailFile{}, fmt.Errorf("%w: %q", errFileHost, hostOf(address))
	}
	return newMailFile(known, h.Mail.Now())
}

// isControl reports whether r is a control character.
func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
