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

// Prices of calls and of a mail that arrives. All other calls are free.
const (
	parsePrice        credit = 10
	contractNotePrice credit = 5
	generatePrice     credit = 5
	fetchPrice        credit = 5 // for the statements, not for the OTP
	pullPrice         credit = 2 // charged for a failed call, too
	mailPrice         credit = 2
)

// route is one endpoint of the API.
type route struct {
	pattern  string
	feature  string // name in the usage log; "" for a call that it does not list
	price    credit
	keyOnly  string // error for an access token; "" if one is accepted
	upload   bool   // accepts a PDF
	noRefund bool   // a failed call is charged, too
	serve    handler
	sample   handler // answers PublicKey; nil means serve
}

// handler serves one endpoint.
type handler func(*call) (reply, error)

func (s *Sandbox) mountAPIRoutes() {
	const (
		noMint    = "Cannot create access token from access token"
		noBalance = "Cannot check credits with an access token"
		noUsage   = "Cannot read usage with an access token"
	)
	parser := func(pattern, feature string, accepts ...source) route {
		return route{
			pattern: pattern, feature: feature, price: parsePrice, upload: true,
			serve: s.parse(accepts...), sample: s.sampleStatement(accepts[0]),
		}
	}
	for _, rt := range []route{
		{pattern: "POST /v1/token", keyOnly: noMint, serve: s.mint},
		{pattern: "POST /v1/access-token", keyOnly: noMint, serve: s.mint},
		{pattern: "POST /v1/credits", keyOnly: noBalance, serve: s.credits},
		{pattern: "POST /v1/usage", keyOnly: noUsage, serve: s.usageLog},
		{pattern: "POST /v1/usage/summary", keyOnly: noUsage, serve: s.usageSummary},

		parser("POST /v4/smart/parse", smartParser, allSources...),
		parser("POST /v4/cdsl/parse", cdslParser, cdsl),
		parser("POST /v4/nsdl/parse", nsdlParser, nsdl),
		parser("POST /v4/cams_kfintech/parse", camsKfintechParser, cams, kfintech),
		{
			pattern: "POST /v4/contract_note/parse", feature: contractNoteParser, price: contractNotePrice, upload: true,
			serve: s.contractNote, sample: s.sampleContractNote,
		},

		{pattern: "POST /v4/generate", feature: kfintechGenerator, price: generatePrice, serve: s.generate, sample: s.sampleGenerate},
		{pattern: "POST /v4/kfintech/generate", feature: kfintechGenerator, price: generatePrice, serve: s.generate, sample: s.sampleGenerate},
		{pattern: "POST /v4/cdsl/fetch", feature: cdslFetch, serve: s.requestOTP, sample: s.sampleSession},
		{pattern: "POST /v4/cdsl/fetch/{session}/verify", feature: cdslFetch, price: fetchPrice, serve: s.verifyOTP, sample: s.sampleFetch},

		{pattern: "POST /v4/inbox/connect", feature: inboxConnect, serve: s.connectInbox, sample: s.sampleConnect},
		{pattern: "POST /v4/inbox/status", feature: inboxStatus, serve: s.inboxStatus, sample: s.sampleInbox},
		{pattern: "POST /v4/inbox/cas", feature: inboxPull, price: pullPrice, noRefund: true, serve: s.inboxFiles, sample: s.sampleInboxFiles},
		{pattern: "POST /v4/inbox/disconnect", feature: inboxDisconnect, serve: s.disconnectInbox, sample: s.sampleDisconnect},

		{pattern: "POST /v4/inbound-email", feature: inboundEmail, serve: s.createAddress, sample: s.sampleAddress(http.StatusCreated)},
		{pattern: "GET /v4/inbound-email", feature: inboundEmail, serve: s.listAddresses, sample: s.sampleAddresses},
		{pattern: "GET /v4/inbound-email/{id}", feature: inboundEmail, serve: s.showAddress, sample: s.sampleAddress(http.StatusOK)},
		{pattern: "DELETE /v4/inbound-email/{id}", feature: inboundEmail, serve: s.deleteAddress, sample: s.sampleDelete},
		{pattern: "GET /v4/inbound-email/{id}/files", feature: inboundEmail, serve: s.addressFiles, sample: s.sampleAddressFiles},
	} {
		if !s.opts.OnPremise || rt.upload {
			s.mux.Handle(rt.pattern, s.api(rt))
		}
	}
	if s.opts.OnPremise {
		return
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
		if !s.opts.OnPremise {
			c.account.setCreditHeaders(w.Header(), charged)
		}
		if err != nil {
			rep.status = s.writeError(w, err)
		} else {
			writeJSON(w, rep.status, rep.body)
		}
		if rt.feature != "" {
			c.account.record(usage{
				Timestamp: s.opts.Now().UTC(), Feature: rt.feature, Path: r.URL.Path, StatusCode: rep.status,
				Credits: charged, RequestID: w.Header().Get("X-Request-ID"),
			})
		}
	})
}

// run serves c and returns the answer and what it charged. It charges before it
// serves, so two calls cannot spend the same credit, and refunds a failure unless
// rt.noRefund.
func (rt route) run(c *call) (reply, credit, error) {
	if c.byToken && rt.keyOnly != "" {
		return reply{}, 0, detailError(rt.keyOnly)
	}
	if c.account.public {
		return rt.runFree(c)
	}
	if !c.account.spend(rt.price) {
		return reply{}, 0, errNoCredits
	}
	rep, err := rt.serve(c)
	if err != nil && !rt.noRefund {
		c.account.refund(rt.price)
		return reply{}, 0, err
	}
	return rep, rt.price, err
}

// runFree serves c for PublicKey.
func (rt route) runFree(c *call) (reply, credit, error) {
	serve := rt.serve
	if rt.sample != nil {
		serve = rt.sample
	}
	rep, err := serve(c)
	return rep, 0, err
}
