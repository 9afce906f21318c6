package gateway

import (
	"net/http"
	"slices"
	"strings"

	"casbroker/internal/fault"
)

// The features that a token may have. Those of package token have the same names.
const (
	Parse        = "parse"         // parse account statements
	ContractNote = "contract_note" // parse contract notes of brokers
)

// Limits of a call that uploads a document.
const (
	// maxForm is the largest form: the vendor takes a PDF of 10 MB, and the other fields
	// are short.
	maxForm = 10<<20 + 64<<10
	// maxJSON is the largest JSON body: base64 makes a PDF 4/3 as long.
	maxJSON = 10<<20/3*4 + 64<<10
	// maxAnswer is the longest answer that is passed on, in bytes.
	maxAnswer = 32 << 20
)

// route is a call of the vendor's API that the gateway passes on.
type route struct {
	path    string // at the vendor and below the gateway's own path
	feature string // that a token needs
}

// routes is the allow-list. Every route is a POST.
var routes = []route{
	{"/v4/smart/parse", Parse},
	{"/v4/cdsl/parse", Parse},
	{"/v4/nsdl/parse", Parse},
	{"/v4/cams_kfintech/parse", Parse},
	{"/v4/contract_note/parse", ContractNote},
}

// verifyPaths are the paths, today's and an older one, at which a token is verified.
var verifyPaths = []string{"/v1/token/verify", "/v1/verify-token"}

var (
	errNoRoute = fault.New(fault.NotFound, "not_found", "There is nothing at this path.")
	errFeature = fault.New(fault.Forbidden, "feature_not_allowed", "This token may not be used for this call.")
)

// find returns the route of a request whose feature is one of enabled. path is compared
// as it was sent, still escaped, so no other spelling of a path matches.
func find(r *http.Request, path string, enabled []string) (route, error) {
	i := slices.IndexFunc(routes, func(rt route) bool { return rt.path == path })
	if i < 0 || r.Method != http.MethodPost || !slices.Contains(enabled, routes[i].feature) {
		return route{}, errNoRoute
	}
	return routes[i], nil
}

// isVerify reports whether a request asks whether a token is valid.
func isVerify(r *http.Request, path string) bool {
	return r.Method == http.MethodPost && slices.Contains(verifyPaths, path)
}

// maxBody returns the largest body that r may have, in bytes.
func maxBody(r *http.Request) int64 {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return maxJSON
	}
	return maxForm
}
