package sandbox

import "net/http"

// Limits on request bodies, in bytes. maxUpload is for bodies with a PDF, which base64
// makes 4/3 as long, and maxJSON for all others.
const (
	maxUpload = maxPDF/3*4 + 64<<10
	maxJSON   = 64 << 10
)

// call is a request of the API by a known caller.
type call struct {
	r       *http.Request
	account *account
	byToken bool   // authenticated by an access token, not the API key
	base    string // start of the URLs in the answer
}

// reply is an answer of the API.
type reply struct {
	status int
	body   any
}

func ok(body any) (reply, error) { return reply{http.StatusOK, body}, nil }

// route is one endpoint of the API.
type route struct {
	pattern string
	feature string // name in the usage log
	cost    credit // charged on success
	keyOnly string // error for an access token; "" if one is accepted
	upload  bool   // accepts a PDF
	serve   func(*call) (reply, error)
}

func (s *Sandbox) mountAPIRoutes() {
	const (
		noMint    = "Cannot create access token from access token"
		noBalance = "Cannot check credits with an access token"
		noUsage   = "Cannot read usage with an access token"
	)
	for _, rt := range []route{
		{pattern: "POST /v1/token", feature: "token", keyOnly: noMint, serve: s.mint},
		{pattern: "POST /v1/access-token", feature: "token", keyOnly: noMint, serve: s.mint},
		{pattern: "POST /v1/credits", feature: "credits", keyOnly: noBalance, serve: s.credits},
		{pattern: "POST /v1/usage", feature: "usage", keyOnly: noUsage, serve: s.usageLog},
		{pattern: "POST /v1/usage/summary", feature: "usage", keyOnly: noUsage, serve: s.usageSummary},

		{pattern: "POST /v4/smart/parse", feature: "smart_parse", cost: 10, upload: true, serve: s.parse(allSources...)},
		{pattern: "POST /v4/cdsl/parse", feature: "cdsl_parse", cost: 10, upload: true, serve: s.parse(cdsl)},
		{pattern: "POST /v4/nsdl/parse", feature: "nsdl_parse", cost: 10, upload: true, serve: s.parse(nsdl)},
		{pattern: "POST /v4/cams_kfintech/parse", feature: "cams_kfintech_parse", cost: 10, upload: true, serve: s.parse(cams, kfintech)},
		{pattern: "POST /v4/contract_note/parse", feature: "contract_note_parse", cost: 10, upload: true, serve: s.contractNote},

		{pattern: "POST /v4/generate", feature: "generate", cost: 5, serve: s.generate},
		{pattern: "POST /v4/kfintech/generate", feature: "generate", cost: 5, serve: s.generate},
		{pattern: "POST /v4/cdsl/fetch", feature: "cdsl_fetch", serve: s.requestOTP},
		{pattern: "POST /v4/cdsl/fetch/{session}/verify", feature: "cdsl_fetch", cost: 5, serve: s.verifyOTP},

		{pattern: "POST /v4/inbox/connect", feature: "inbox", serve: s.connectInbox},
		{pattern: "POST /v4/inbox/status", feature: "inbox", serve: s.inboxStatus},
		{pattern: "POST /v4/inbox/cas", feature: "inbox", cost: 2, serve: s.inboxFiles},
		{pattern: "POST /v4/inbox/disconnect", feature: "inbox", serve: s.disconnectInbox},

		{pattern: "POST /v4/inbound-email", feature: "inbound_email", serve: s.createAddress},
		{pattern: "GET /v4/inbound-email", feature: "inbound_email", serve: s.listAddresses},
		{pattern: "GET /v4/inbound-email/{id}", feature: "inbound_email", serve: s.showAddress},
		{pattern: "DELETE /v4/inbound-email/{id}", feature: "inbound_email", serve: s.deleteAddress},
		{pattern: "GET /v4/inbound-email/{id}/files", feature: "inbound_email", serve: s.addressFiles},
	} {
		s.mux.Handle(rt.pattern, s.api(rt))
	}
	s.mux.HandleFunc("POST /v1/token/verify", s.verifyToken)
	s.mux.HandleFunc("POST /v1/verify-token", s.verifyToken)
}

// api wraps a route in what all routes share: it authenticates the caller, limits the
// body, charges, answers and writes the usage log.
func (s *Sandbox) api(rt route) http.Handler {
	limit := int64(maxJSON)
	if rt.upload {
		limit = maxUpload
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.authenticate(r)
		if err != nil {
			s.writeError(w, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		rep, charged, err := rt.run(c)
		if rt.cost > 0 {
			c.account.setCreditHeaders(w.Header(), charged)
		}
		if err != nil {
			rep.status = s.writeError(w, err)
		} else {
			writeJSON(w, rep.status, rep.body)
		}
		c.account.record(usage{
			Timestamp: s.opts.Now().UTC(), Feature: rt.feature, Path: r.URL.Path, StatusCode: rep.status,
			Credits: charged, RequestID: w.Header().Get("X-Request-ID"),
		})
	})
}

// run serves c and returns the answer and what it charged. It charges before it
// serves, so two calls cannot spend the same credit, and refunds on failure.
func (rt route) run(c *call) (reply, credit, error) {
	if c.byToken && rt.keyOnly != "" {
		return reply{}, 0, detailError(rt.keyOnly)
	}
	if !c.account.spend(rt.cost) {
		return reply{}, 0, errNoCredits
	}
	rep, err := rt.serve(c)
	if err != nil {
		c.account.refund(rt.cost)
		return reply{}, 0, err
	}
	if c.account.public {
		return rep, 0, nil
	}
	return rep, rt.cost, nil
}
