package store_test

import (
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/gateway"
	"casbroker/internal/ingest"
	"casbroker/internal/link"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/token"
	"casbroker/internal/usage"
	"casbroker/internal/webhook"
)

// tourist is the user whose data the tour makes and reads; another is erased.
const tourist, erased = "demo:asha", "demo:ravi"

// tour makes use of each method of a database that has a statement of its own, with each form of its
// filters, after call was called with its name.
type tour struct {
	t     *testing.T
	s     *store.DB
	call  func(method string)
	after func() // each part
}

// run goes through all parts.
func (o tour) run() {
	for _, part := range []func(){
		o.grants, o.access, o.audit, o.portfolios, o.keys, o.captures, o.jobs, o.mail, o.resources,
		o.links, o.calls, o.budgets, o.events, o.webhooks, o.operators, o.erasure, o.retention, o.seals,
	} {
		part()
		o.after()
	}
}

// ok notes that methods are called, and fails the test for the first of errs that is not nil.
func (o tour) ok(method string, errs ...error) {
	o.t.Helper()
	o.call(method)
	for _, err := range errs {
		if err != nil {
			o.t.Errorf("%s: %v", method, err)
		}
	}
}

// second returns the error of a call with a result.
func second[T any](_ T, err error) error { return err }

// third returns the error of a call with two results.
func third[T, U any](_ T, _ U, err error) error { return err }

// fourth returns the error of a call with three results.
func fourth[T, U, V any](_ T, _ U, _ V, err error) error { return err }

func (o tour) record(action audit.Action) audit.Record {
	return audit.New(o.t.Context(), savedAt, "admin/x", action, tourist, "")
}

func (o tour) grants() {
	ctx, s := o.t.Context(), o.s
	o.ok("RecordGrant", give(ctx, s, "gr_tour", tourist, savedAt, accessVersion(o.t, s)))
	filters := map[string]token.Filter{
		"all": {}, "of a user": {Subject: tourist}, "of a time": {From: savedAt.Add(-time.Hour), To: savedAt.Add(time.Hour)},
		"of a user and a time": {Subject: tourist, From: savedAt.Add(-time.Hour), To: savedAt},
	}
	for _, state := range []token.State{token.StateActive, token.StateExpired, token.StateRevoked} {
		filters[string(state)] = token.Filter{State: state}
		filters[string(state)+" of a user"] = token.Filter{State: state, Subject: tourist}
	}
	for name, f := range filters {
		o.ok("FindGrants", second(s.FindGrants(ctx, f, token.Cursor{}, 50, savedAt)))
		if _, err := s.FindGrants(ctx, f, token.Cursor{IssuedAt: savedAt.Add(-time.Hour), ID: "gr_x"}, 50, savedAt); err != nil {
			o.t.Errorf("grants, %s: %v", name, err)
		}
	}
	o.ok("FindGrant", second(s.FindGrant(ctx, "gr_tour", savedAt)))
	o.ok("FindByTokenHash", second(s.FindByTokenHash(ctx, []byte("hash"), savedAt)))
	o.ok("LiveGrants", second(s.LiveGrants(ctx, savedAt)))
	o.ok("Grants", second(s.Grants(ctx, tourist, token.Grant{}, 50)), second(s.Grants(ctx, tourist, token.Grant{ID: "gr_0", IssuedAt: savedAt.Add(-time.Hour)}, 50)))
	o.ok("GrantRevocation", second(s.GrantRevocation(ctx, token.Grant{ID: "gr_tour", Subject: tourist, IssuedAt: savedAt})))
}

func (o tour) access() {
	ctx, s := o.t.Context(), o.s
	for _, c := range []access.Change{
		{Kind: access.RevokeGrant, Subject: tourist, GrantID: "gr_tour"},
		{Kind: access.RevokeUser, Subject: tourist},
		{Kind: access.Block, Subject: tourist, Reason: "stolen phone", Until: savedAt.Add(time.Hour)},
		{Kind: access.Unblock, Subject: tourist},
		{Kind: access.RevokeAll},
	} {
		o.ok("ChangeAccess", second(alter(ctx, s, c, savedAt)))
	}
	version := accessVersion(o.t, s)
	o.ok("AccessVersion")
	o.ok("AccessChanges", second(s.AccessChanges(ctx, version-2, 100)))
	o.ok("AccessHistory", second(s.AccessHistory(ctx, tourist, 20)))
	o.ok("AccessSnapshot", second(s.AccessSnapshot(ctx, savedAt, savedAt.Add(-25*time.Hour))))
	o.ok("ActiveBlock", second(s.ActiveBlock(ctx, tourist, savedAt)))
}

func (o tour) audit() {
	ctx, s := o.t.Context(), o.s
	o.ok("Append", s.Append(ctx, o.record(audit.TokenMint)))
	o.ok("AppendOrFail", s.AppendOrFail(ctx, o.record(audit.TokenMint), o.record(audit.TokenMint)))
	day := audit.Filter{Since: savedAt.Add(-24 * time.Hour), Until: savedAt}
	for _, f := range []audit.Filter{
		{}, day,
		{Subject: tourist},
		{Actor: "admin/x"},
		{Action: audit.UserBlock},
		{RequestID: "req_17"},
		{Without: audit.Reads},
		{Subject: tourist, Action: audit.TokenMint, Since: day.Since, Until: day.Until},
		{Actor: "admin/x", Action: audit.UserBlock, Since: day.Since},
		{Outcome: "refused", Since: day.Since},
	} {
		o.ok("Records", second(s.Records(ctx, f, audit.Cursor{}, 50)), second(s.Records(ctx, f, audit.Cursor{At: savedAt.Add(-time.Hour), ID: "au_x"}, 50)))
	}
	o.ok("Trail", second(s.Trail(ctx, tourist, audit.Record{}, 50)), second(s.Trail(ctx, tourist, audit.Record{ID: "au_x", At: savedAt.Add(-time.Hour)}, 50)))
	o.ok("Heads", second(s.Heads(ctx, 0, 100)))
	writer, _, err := s.NextWriter(ctx, "")
	o.ok("NextWriter", err)
	o.ok("Chain", second(s.Chain(ctx, writer, 1, "", 100)))
	o.ok("Unchained", third(s.Unchained(ctx)))
}

func (o tour) portfolios() {
	ctx, s, t := o.t.Context(), o.s, o.t
	first := save(t, s, tourist, named("Fund", "2026-03-31")).PortfolioID
	save(t, s, tourist, named("Fund", "2026-03-31")) // again
	later := save(t, s, tourist, named("Fund", "2026-02-28")).PortfolioID
	save(t, s, tourist, owned(statement.CDSL, raviPAN, "2026-03-31"))
	o.ok("SavePortfolio")
	o.ok("Latest", third(s.Latest(ctx, tourist)))
	o.ok("LatestVersion", second(s.LatestVersion(ctx, tourist)))
	o.ok("Portfolio", third(s.Portfolio(ctx, tourist, first, 0, 100)))
	o.ok("PortfolioVersion", second(s.PortfolioVersion(ctx, tourist, first)))
	for _, only := range []portfolio.Only{
		{},
		{Provenance: portfolio.Verified},
		{CASType: statement.CDSL},
		{Owner: 1},
		{Class: statement.MutualFund},
		{From: "2026-01-01", To: "2026-12-31"},
	} {
		for _, q := range []portfolio.Query{{Limit: 20}, {Limit: 20, ActiveOnly: true}} {
			q.Only = only
			o.ok("Portfolios", second(s.Portfolios(ctx, tourist, q)))
			q.After = portfolio.Cursor{SavedAt: savedAt.Add(time.Hour), ID: "pf_x"}
			o.ok("Portfolios", second(s.Portfolios(ctx, tourist, q)))
		}
	}
	o.ok("Payload", second(s.Payload(ctx, tourist, first)))
	o.ok("Rows", second(s.Rows(ctx, tourist, []string{first, later})))
	o.ok("Transactions", second(s.Transactions(ctx, tourist, first, portfolio.AllHoldings, 0, 100)))
	o.ok("Accounts", fourth(s.Accounts(ctx, tourist)))
	o.ok("AccountStatements", fourth(s.AccountStatements(ctx, tourist)))
	o.ok("StatementsVersion", second(s.StatementsVersion(ctx, tourist)))
	o.ok("AccountMetadata", third(s.AccountMetadata(ctx, tourist, 50)))
	o.ok("PortfolioMetadata", third(s.PortfolioMetadata(ctx, tourist, 50)))
	o.ok("Stored", second(s.Stored(ctx, tourist)))
	o.ok("Copy", second(s.Copy(ctx, tourist, first)))
	o.ok("DeletePortfolio", s.DeletePortfolio(ctx, tourist, later, o.record(audit.PortfolioDelete)))
	o.ok("ConvertPortfolios", second(s.ConvertPortfolios(ctx, "", 100, savedAt)), second(s.ConvertPortfolios(ctx, "pf_9", 100, savedAt)))
}

func (o tour) keys() {
	ctx, s, t := o.t.Context(), o.s, o.t
	c := claim("tour", "body", 0)
	mustClaim(t, s, c)
	o.ok("ClaimKey", second(saveUnder(t, s, c)), second(s.ClaimKey(ctx, c)))
	lost := claim("lost", "body", 0)
	mustClaim(t, s, lost)
	o.ok("ExtendKey", second(s.ExtendKey(ctx, lost, lost.Until.Add(time.Minute))))
	o.ok("ReleaseKey", s.ReleaseKey(ctx, lost))
	o.ok("PurgeKeys", second(s.PurgeKeys(ctx, yearAgo)))
}

func (o tour) captures() {
	ctx, s, t := o.t.Context(), o.s, o.t
	payload := named("Captured", "2026-03-31")
	first, other := capture(t, s, tourist, payload), captureOf(t, s, tourist, "gc_tour", named("Other", "2026-03-31"))
	o.ok("KeepCapture")
	o.ok("DueCaptures", second(s.DueCaptures(ctx, "", savedAt, 20)), second(s.DueCaptures(ctx, tourist, savedAt, 20)))
	o.ok("Captures", second(s.Captures(ctx, tourist)))
	o.ok("Capture", second(s.Capture(ctx, first)))
	o.ok("PostponeCapture", s.PostponeCapture(ctx, first, savedAt.Add(time.Minute)))
	o.ok("FreeKeyOf", s.FreeKeyOf(ctx, first))
	o.ok("DropCapture", s.DropCapture(ctx, other))
	observe(t, s, tourist, "", payload)
	o.ok("ObserveCapture")
	again := saving(t, tourist, payload)
	o.ok("Observed", second(s.Observed(ctx, tourist, &again.Statement, savedAt.Add(-time.Hour))))
	o.ok("DropObserved", s.DropObserved(ctx, yearAgo))
	if _, err := s.SavePortfolio(ctx, verified(t, tourist, first, payload)); err != nil {
		t.Error(err)
	}
}

func (o tour) jobs() {
	ctx, s, t := o.t.Context(), o.s, o.t
	j := addJob(t, s, tourist, "tour", savedAt)
	addJob(t, s, tourist, "tour", savedAt)
	o.ok("AddJob")
	o.ok("Job", second(s.Job(ctx, tourist, j.ID)))
	o.ok("Jobs", second(s.Jobs(ctx, tourist)))
	o.ok("TakeJob", third(s.TakeJob(ctx, "one", savedAt, savedAt.Add(time.Minute))))
	o.ok("ExtendJob", second(s.ExtendJob(ctx, j.ID, "one", savedAt.Add(2*time.Minute))))
	o.ok("ReturnJob", s.ReturnJob(ctx, j.ID, "one", savedAt.Add(3*time.Minute)))
	o.ok("FailJob", s.FailJob(ctx, j.ID, "one", lostAt(savedAt, savedAt.Add(time.Hour))))
	o.ok("FailLostJobs", second(s.FailLostJobs(ctx, lostAt(savedAt.Add(time.Hour), savedAt.Add(2*time.Hour)))))
	o.ok("JobQueue", second(s.JobQueue(ctx)))
	o.ok("DropJobs", s.DropJobs(ctx, yearAgo))
	o.ok("ClaimJob", second(s.ClaimJob(ctx, "sweep", savedAt, savedAt.Add(time.Minute), savedAt.Add(time.Hour))))
	o.ok("FinishJob", s.FinishJob(ctx, "sweep", savedAt.Add(time.Minute), savedAt.Add(time.Hour)))
	o.ok("RecordDone", s.RecordDone(ctx, "backup", savedAt))
	o.ok("LastDone", second(s.LastDone(ctx, "backup")))
}

func (o tour) mail() {
	ctx, s, t := o.t.Context(), o.s, o.t
	own(t, s, gateway.Address, "ie_tour", tourist, savedAt)
	giveConsent(t, s, tourist, "hush", savedAt)
	o.ok("GiveConsent")
	o.ok("Consent", second(s.Consent(ctx, tourist)))
	o.ok("MailAddress", second(s.MailAddress(ctx, "ie_tour")))
	o.ok("CallbackAddress", second(s.CallbackAddress(ctx, "secret")))
	o.ok("ClaimAsk", second(s.ClaimAsk(ctx, "ie_tour", savedAt, savedAt.Add(-10*time.Second), savedAt.Add(time.Minute))))
	addFiles(t, s, "ie_tour", "cursor", mailFile("msg_1", "a.pdf", savedAt), mailFile("msg_2", "b.pdf", savedAt))
	o.ok("AddFiles")
	mailFiles(t, s, "ie_tour", savedAt.Add(-time.Hour), 20)
	o.ok("MailFiles")
	o.ok("AddForwarded", s.AddForwarded(ctx, savedAt, ingest.JobLimits{PerUser: 10_000, All: 1_000_000, Bytes: 1 << 40}))
	o.ok("TakeJob", third(s.TakeJob(ctx, "two", savedAt, savedAt.Add(time.Minute))))
	o.ok("WithdrawConsent", s.WithdrawConsent(ctx, tourist, o.record(audit.MailWithdraw)))
	o.ok("DropExpiredFiles", s.DropExpiredFiles(ctx, yearAgo))
}

func (o tour) resources() {
	ctx, s, t := o.t.Context(), o.s, o.t
	own(t, s, gateway.OTPSession, "otp_tour", tourist, savedAt)
	o.ok("ClaimResource")
	o.ok("Resource", second(s.Resource(ctx, gateway.OTPSession, "otp_tour")))
	o.ok("Resources", second(s.Resources(ctx, tourist, gateway.Address)))
	o.ok("ReleaseResource", s.ReleaseResource(ctx, gateway.OTPSession, "otp_tour"))
	connect(t, s, "state", "handle")
	o.ok("BeginConnection")
	o.ok("EndConnection")
	o.ok("Mailbox", second(s.Mailbox(ctx, "handle")))
	o.ok("DeleteMailbox", s.DeleteMailbox(ctx, "handle", o.record(audit.MailboxDisconnect)))
}

func (o tour) links() {
	ctx, s, t := o.t.Context(), o.s, o.t
	l := addLink(t, s, tourist, link.UntilSaved)
	o.ok("AddLink")
	u := mustOpenLink(t, s, l, "tour")
	o.ok("StartLink")
	grantIn(t, s, l, u)
	o.ok("AddLinkGrant")
	o.ok("LinkByToken", second(s.LinkByToken(ctx, []byte(l.ID), savedAt)))
	o.ok("LinkBySession", third(s.LinkBySession(ctx, []byte("tour"), savedAt)))
	o.ok("Links", second(s.Links(ctx, tourist, link.Cursor{}, 20, savedAt)), second(s.Links(ctx, tourist, link.Cursor{At: savedAt, ID: "ln_x"}, 20, savedAt)))
	o.ok("Link", third(s.Link(ctx, tourist, l.ID, savedAt)))
	o.ok("AddSteps", s.AddSteps(ctx, u.ID, []link.Step{{Name: "token", At: savedAt}}, 50))
	o.ok("CompleteLink", s.CompleteLink(ctx, u, "pf_tour", []byte("key"), savedAt))
	o.ok("LinkGrants", second(s.LinkGrants(ctx, l.ID)))
	o.ok("EndLinks", second(s.EndLinks(ctx, savedAt.Add(time.Minute), 10)), second(s.EndLinks(ctx, savedAt.Add(2*time.Hour), 10)))
	o.ok("SettleLink", s.SettleLink(ctx, l.ID))
	again := addLink(t, s, tourist, link.Once)
	o.ok("RevokeLink", second(s.RevokeLink(ctx, tourist, again.ID, savedAt, o.record(audit.LinkRevoke))))
	o.ok("ExpireLinks", second(s.ExpireLinks(ctx, yearAgo)))
}

func (o tour) calls() {
	ctx, s := o.t.Context(), o.s
	spend(o.t, s)
	o.ok("BeginCall")
	o.ok("EndCall")
	c := budget.Call{ID: "gc_mail", Subject: tourist, Who: "demo:hash", App: "demo", Feature: "inbound_email", StartedAt: savedAt, EndedAt: savedAt, Used: credit.One}
	o.ok("AddCall", second(s.AddCall(ctx, c)))
	callUnder(o.t, s, tourist, "gr_tour", "gc_failed", savedAt)
	failed := budget.Result{Outcome: "failed", Reason: "bad_password", Delivery: budget.Unknown}
	o.ok("EndCall", third(s.EndCall(ctx, "gc_failed", failed, savedAt)))
	o.ok("Calls", second(s.Calls(ctx, tourist, budget.Call{}, 50)), second(s.Calls(ctx, tourist, c, 50)))
	o.ok("CallsOfRequest", second(s.CallsOfRequest(ctx, "req_17", 50)))
	o.ok("GrantCalls", second(s.GrantCalls(ctx, "gr_tour", 50)))
	o.ok("OverdueCalls", second(s.OverdueCalls(ctx, savedAt, 50)))
	o.ok("OpenCalls", third(s.OpenCalls(ctx)))
	o.ok("EndedCalls", second(s.EndedCalls(ctx, savedAt.AddDate(0, 0, -1), savedAt)))
	o.ok("ExpireCalls", second(s.ExpireCalls(ctx, yearAgo)))
}

func (o tour) budgets() {
	ctx, s := o.t.Context(), o.s
	month := budget.Month.Start(savedAt)
	o.ok("AddRaise")
	o.ok("Raises", second(s.Raises(ctx, savedAt)))
	o.ok("CounterSums", second(s.CounterSums(ctx, budget.CountersAt(savedAt, "demo:hash", "demo"))))
	for _, scope := range []budget.Scope{budget.User, budget.App, budget.All} {
		b := budget.Budget{Name: "watch", Scope: scope, Period: budget.Month, Credits: credit.One}
		o.ok("BudgetUse", second(s.BudgetUse(ctx, b, month)))
		r := budget.Reached{Budget: b, Counter: budget.Counter{Scope: scope, Period: budget.Month, Starts: month}, At: savedAt, Record: o.record(audit.BudgetReached)}
		o.ok("MarkReached", second(s.MarkReached(ctx, r)))
	}
	for _, q := range []budget.TotalsQuery{
		{By: []budget.Dimension{budget.ByDay}},
		{By: []budget.Dimension{budget.ByFeature, budget.ByApp, budget.ByKey}},
		{By: []budget.Dimension{budget.BySubject}, Costliest: 10},
		{By: []budget.Dimension{budget.ByDay, budget.ByFeature}, Subject: tourist},
	} {
		q.From, q.To = budget.Day.Start(savedAt.AddDate(0, 0, -7)), savedAt
		o.ok("CallTotals", second(s.CallTotals(ctx, q)))
	}
	o.ok("SaveComparison")
	o.ok("Comparisons", second(s.Comparisons(ctx, 7)))
	o.ok("DropCounters", s.DropCounters(ctx, yearAgo))
}

func (o tour) events() {
	ctx, s, t := o.t.Context(), o.s, o.t
	block(t, s, "demo:blocked")
	number(t, s)
	o.ok("NumberEvents")
	eventsAfter(t, s, 20)
	o.ok("Events")
	o.ok("ExpireEvents", second(s.ExpireEvents(ctx, yearAgo)))
	o.ok("AddKeySetAside", s.AddKeySetAside(ctx, "spare", "refused", savedAt))
	o.ok("AddCounts", s.AddCounts(ctx, []usage.Count{{Step: usage.Minute, At: savedAt.Truncate(time.Minute), Series: usage.Minted, N: 1}}))
	o.ok("Counts", second(s.Counts(ctx, usage.Minute, savedAt.Add(-time.Hour), savedAt)), second(s.Counts(ctx, usage.Hour, savedAt.AddDate(0, 0, -7), savedAt)))
	o.ok("DropCounts", s.DropCounts(ctx, usage.Minute, yearAgo))
}

func (o tour) webhooks() {
	ctx, s, t := o.t.Context(), o.s, o.t
	addEndpoint(t, s, "tour")
	o.ok("AddEndpoint")
	o.ok("SyncEndpoints", s.SyncEndpoints(ctx, []webhook.Filter{{Name: "app"}}, savedAt))
	o.ok("StoredEndpoints", second(s.StoredEndpoints(ctx)))
	o.ok("EndpointStates", second(s.EndpointStates(ctx)))
	o.ok("EventBacklogs", second(s.EventBacklogs(ctx)))
	block(t, s, "demo:blocked")
	block(t, s, "demo:other")
	number(t, s)
	for i, state := range []webhook.State{webhook.Delivered, webhook.Pending} {
		list, err := s.Claim(ctx, "tour", savedAt, savedAt.Add(time.Minute), 1)
		if err != nil || len(list) != 1 {
			t.Fatalf("claim %d: %d deliveries, %v", i, len(list), err)
		}
		out := webhook.Outcome{At: savedAt, State: state, RetryAt: savedAt.Add(time.Hour), Disable: state == webhook.Pending}
		o.ok("Finish", second(s.Finish(ctx, list[0], out, savedAt.Add(time.Minute))))
		o.ok("Release", s.Release(ctx, list[0]))
	}
	o.ok("Claim")
	for _, state := range []webhook.State{"", webhook.Pending, webhook.Failed} {
		o.ok("Deliveries", second(s.Deliveries(ctx, "app", state, 0, 20)), second(s.Deliveries(ctx, "app", state, 4000, 20)))
	}
	o.ok("EnableEndpoint", s.EnableEndpoint(ctx, "tour", true, savedAt, o.record(audit.WebhookChange)))
	list := eventsAfter(t, s, 0)
	o.ok("Replay", second(s.Replay(ctx, "tour", list[len(list)-1].ID, time.Time{}, savedAt, o.record(audit.WebhookChange))),
		second(s.Replay(ctx, "tour", "", savedAt.Add(-time.Hour), savedAt, o.record(audit.WebhookChange))))
	o.ok("ReplaceEndpoint", s.ReplaceEndpoint(ctx, webhook.Endpoint{Name: "tour", URL: "https://other.example"}, o.record(audit.WebhookChange)))
	o.ok("DeleteEndpoint", s.DeleteEndpoint(ctx, "tour", o.record(audit.WebhookChange)))
}

func (o tour) operators() {
	ctx, s := o.t.Context(), o.s
	for _, f := range []admin.UserFilter{{}, {Prefix: "demo:1"}, {Blocked: true}, {Blocked: true, Prefix: "demo:1"}} {
		o.ok("FindUsers", second(s.FindUsers(ctx, f, "", 50, savedAt)), second(s.FindUsers(ctx, f, "demo:15", 50, savedAt)))
	}
	k := session.Stored{ID: []byte("tour"), KeyHash: []byte{1}, MAC: []byte("first"), Session: session.Session{Admin: "asha", StartedAt: savedAt, SeenAt: savedAt}}
	o.ok("StartSession", s.StartSession(ctx, k, savedAt.Add(-session.IdleTimeout), o.record(audit.AdminSignIn)))
	o.ok("Session", second(s.Session(ctx, k.ID)))
	o.ok("TouchSession", s.TouchSession(ctx, k))
	o.ok("EndSession", s.EndSession(ctx, k.ID, o.record(audit.AdminSignOut)))
	o.ok("Clock", second(s.Clock(ctx)))
	o.ok("Probe", second(s.Probe(ctx)))
	o.ok("Ready", s.Ready(ctx))
}

func (o tour) erasure() {
	s, t := o.s, o.t
	save(t, s, erased, named("Fund", "2026-03-31"))
	addJob(t, s, erased, "erased", savedAt)
	capture(t, s, erased, named("Fund", "2026-02-28"))
	own(t, s, gateway.Address, "ie_erased", erased, savedAt)
	addFiles(t, s, "ie_erased", "", mailFile("msg_1", "a.pdf", savedAt))
	giveConsent(t, s, erased, "hush", savedAt)
	l := addLink(t, s, erased, link.UntilSaved)
	grantIn(t, s, l, mustOpenLink(t, s, l, "erased"))
	callUnder(t, s, erased, "gr_erased", "gc_erased", savedAt)
	erase(t, s, erased)
	o.ok("Erase")
}

func (o tour) retention() {
	ctx, s := o.t.Context(), o.s
	o.ok("ExpirePortfolios", second(s.ExpirePortfolios(ctx, yearAgo, savedAt)))
	o.ok("ExpireGrants", second(s.ExpireGrants(ctx, yearAgo)))
	o.ok("ExpireRecords", second(s.ExpireRecords(ctx, yearAgo, savedAt)))
}

func (o tour) seals() {
	ctx, s := o.t.Context(), o.s
	o.ok("SealReasons", second(s.SealReasons(ctx)))
}

// yearAgo is before nearly everything that the tour finds.
var yearAgo = savedAt.AddDate(-1, 0, 2)
