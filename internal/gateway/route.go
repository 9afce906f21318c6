package gateway

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"casbroker/internal/fault"
)

// The features that a token may have. Those of package token have the same names.
const (
	Parse        = "parse"         // parse account statements
	ContractNote = "contract_note" // parse contract notes of brokers
	Fetch        = "fetch"         // get statements of CDSL with an OTP
	Generate     = "generate"      // have a statement mailed to the investor
	InboundEmail = "inbound_email" // forwarding addresses
	Inbox        = "inbox"         // mailboxes of the investor
)

// Limits of bodies, in bytes.
const (
	// maxForm is the largest form: the vendor takes a PDF of 10 MB, and the other fields
	// are short.
	maxForm = 10<<20 + 64<<10
	// maxJSON is the largest JSON body: base64 makes a PDF 4/3 as long.
	maxJSON = 10<<20/3*4 + 64<<10
	// maxSmall is the largest body of a call that uploads no document.
	maxSmall = 64 << 10
	// maxAnswer is the longest answer that is passed on, in bytes.
	maxAnswer = 32 << 20
)

// route is a call of the vendor's API that the gateway passes on.
type route struct {
	method  string
	path    string // at the vendor and below the gateway's own path; {id} stands for an id
	feature string // that a token needs
	upload  bool   // the body is a document
	free    bool   // costs no credits, and is polled: it has a limit of its own

	// prepare returns an error if the call is not the user's to make, and changes what the
	// vendor gets; nil if there is nothing to check.
	prepare func(*exchange, *http.Request) error
	// answer answers instead of the vendor; nil for calls that are passed on.
	answer func(*exchange, http.ResponseWriter, *http.Request) error
}

// routes is the allow-list.
var routes = []route{
	{method: "POST", path: "/v4/smart/parse", feature: Parse, upload: true},
	{method: "POST", path: "/v4/cdsl/parse", feature: Parse, upload: true},
	{method: "POST", path: "/v4/nsdl/parse", feature: Parse, upload: true},
	{method: "POST", path: "/v4/cams_kfintech/parse", feature: Parse, upload: true},
	{method: "POST", path: "/v4/contract_note/parse", feature: ContractNote, upload: true},

	{method: "POST", path: "/v4/generate", feature: Generate},
	{method: "POST", path: "/v4/kfintech/generate", feature: Generate},

	{method: "POST", path: "/v4/cdsl/fetch", feature: Fetch, prepare: (*exchange).startSession},
	{method: "POST", path: "/v4/cdsl/fetch/{id}/verify", feature: Fetch, prepare: (*exchange).useSession},

	{method: "POST", path: "/v4/inbound-email", feature: InboundEmail, prepare: (*exchange).createAddress},
	{method: "GET", path: "/v4/inbound-email", feature: InboundEmail, free: true, answer: (*exchange).listAddresses},
	{method: "GET", path: "/v4/inbound-email/{id}", feature: InboundEmail, free: true, prepare: (*exchange).useAddress},
	{method: "DELETE", path: "/v4/inbound-email/{id}", feature: InboundEmail, free: true, prepare: (*exchange).deleteAddress},
	{method: "GET", path: "/v4/inbound-email/{id}/files", feature: InboundEmail, free: true, answer: (*exchange).pollAddress},

	{method: "POST", path: "/v4/inbox/connect", feature: Inbox, free: true, prepare: (*exchange).connectInbox},
	{method: "POST", path: "/v4/inbox/status", feature: Inbox, free: true, prepare: (*exchange).useInbox},
	{method: "POST", path: "/v4/inbox/cas", feature: Inbox, prepare: (*exchange).useInbox},
	{method: "POST", path: "/v4/inbox/disconnect", feature: Inbox, free: true, prepare: (*exchange).disconnectInbox},
}

// verifyPaths are the paths, today's and an older one, at which a token is verified.
var verifyPaths = []string{"/v1/token/verify", "/v1/verify-token"}

var (
	errNoRoute = fault.New(fault.NotFound, "not_found", "There is nothing at this path.")
	errFeature = fault.New(fault.Forbidden, "feature_not_allowed", "This token may not be used for this call.")
)

// find returns the route of a request whose feature is one of enabled, and the id in its
// path. path is compared as it was sent, still escaped, so no other spelling of a path
// matches.
func find(r *http.Request, path string, enabled []string) (rt *route, id string, err error) {
	for i := range routes {
		rt = &routes[i]
		if rt.method != r.Method || !slices.Contains(enabled, rt.feature) {
			continue
		}
		if id, ok := rt.match(path); ok {
			return rt, id, nil
		}
	}
	return nil, "", errNoRoute
}

// idPattern is the form of the vendor's ids. No other id is passed on or stored.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// match reports whether path is of this route, and returns the id in it.
func (rt *route) match(path string) (id string, ok bool) {
	before, after, hasID := strings.Cut(rt.path, "{id}")
	if !hasID {
		return "", path == rt.path
	}
	id, ok = strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, after)
	return id, ok && idPattern.MatchString(id)
}

// isVerify reports whether a request asks whether a token is valid.
func isVerify(r *http.Request, path string) bool {
	return r.Method == http.MethodPost && slices.Contains(verifyPaths, path)
}

// maxBody returns the largest body that r may have, in bytes.
func (rt *route) maxBody(r *http.Request) int64 {
	if rt != nil && !rt.upload {
		return maxSmall
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return maxJSON
	}
	return maxForm
}
