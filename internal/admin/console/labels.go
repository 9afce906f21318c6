package console

import (
	"hash/fnv"
	"slices"
	"strconv"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/token"
	"casbroker/internal/webhook"
)

// choice is a value with its label.
type choice struct{ Value, Label string }

// label returns the label of value in list, or value itself.
func label(list []choice, value string) string {
	for _, c := range list {
		if c.Value == value && value != "" {
			return c.Label
		}
	}
	return value
}

// states are the states of a grant.
var states = []choice{
	{"", "Any"},
	{string(token.StateActive), "Active"},
	{string(token.StateExpired), "Expired"},
	{string(token.StateRevoked), "Revoked"},
}

// outcomes are the outcomes of an audited action.
var outcomes = []choice{
	{"", "Any"},
	{string(audit.OK), "Done"},
	{string(audit.Refused), "Refused"},
}

// kinds are the kinds of changes of access.
var kinds = []choice{
	{string(access.Block), "Blocked"},
	{string(access.Unblock), "Block lifted"},
	{string(access.RevokeGrant), "Token revoked"},
	{string(access.RevokeUser), "All tokens revoked"},
	{string(access.RevokeAll), "All tokens of all users revoked"},
}

// Choices of more than one action.
const (
	everything          = "all"
	exceptOperatorReads = "-" + string(audit.AdminRead) // the default of the page
	exceptReads         = "-reads"                      // all but audit.Reads
)

// actions are the audited actions, those that are searched for most often first.
var actions = []choice{
	{exceptOperatorReads, "All but reads by operators"},
	{exceptReads, "All but reads"},
	{everything, "All"},
	{string(audit.UserBlock), "User blocked"},
	{string(audit.UserUnblock), "User unblocked"},
	{string(audit.TokenRevoke), "Token revoked"},
	{string(audit.RevokeUser), "User's tokens revoked"},
	{string(audit.RevokeAll), "All tokens revoked"},
	{string(audit.AccessRefuse), "Call refused"},
	{string(audit.TokenMint), "Token minted"},
	{string(audit.TokenReuse), "Token reused"},
	{string(audit.UserRead), "Read by the user"},
	{string(audit.ServiceRead), "Read by a service"},
	{string(audit.PortfolioSave), "Portfolio saved"},
	{string(audit.PortfolioDiffers), "Portfolio differs"},
	{string(audit.PortfolioDelete), "Portfolio deleted"},
	{string(audit.PortfolioExpire), "Portfolio expired"},
	{string(audit.DataExport), "User's data exported"},
	{string(audit.DataErase), "User's data erased"},
	{string(audit.MailboxConnect), "Mailbox connected"},
	{string(audit.MailboxDisconnect), "Mailbox disconnected"},
	{string(audit.MailConsent), "Consent to read forwarded mail"},
	{string(audit.MailWithdraw), "Consent to read forwarded mail withdrawn"},
	{string(audit.LinkCreate), "Hosted link made"},
	{string(audit.LinkUse), "Hosted link opened"},
	{string(audit.LinkRevoke), "Hosted link revoked"},
	{string(audit.BudgetReached), "Budget reached"},
	{string(audit.BudgetRaise), "Budget raised"},
	{string(audit.WebhookChange), "Webhook changed"},
	{string(audit.LogLevel), "Log level changed"},
	{string(audit.AdminSignIn), "Operator sign-in"},
	{string(audit.AdminSignOut), "Operator sign-out"},
	{string(audit.AdminRead), "Operator read"},
	{string(audit.AuditExport), "Audit trail exported"},
	{string(audit.AuditExpire), "Old audit records deleted"},
	{string(audit.BrokerStart), "Broker started"},
}

// refusals are the codes of the faults with which calls are refused. The first tintCount
// have colors of their own, so the most common come first.
var refusals = []choice{
	{"invalid_token", "invalid token"},
	{"unauthenticated", "not signed in"},
	{"subject_blocked", "user blocked"},
	{"rate_limited", "rate limit reached"},
	{"forbidden", "role missing"},
	{"wrong_key", "wrong admin key"},
	{"invalid_client", "wrong OAuth client"},
	{"unauthorized_client", "OAuth client not allowed"},
	{"invalid_service_key", "wrong service key"},
	{"session_ended", "session ended"},
	{"cross_origin", "sent by another site"},
	{"origin_not_allowed", "from an origin that is not listed"},
	{"insecure_sign_in", "sign-in without https"},
	{"no_admin_keys", "no admin keys configured"},
	{"too_many_uploads", "too many uploads at once"},
	{"budget_exhausted", "budget used up"},
	{"insufficient_credits", "no credits left at the vendor"},
	{"too_many_files", "too many files at a forwarding address"},
	{"too_many_jobs", "too many statements waiting"},
	{"link_unknown", "unknown hosted link"},
	{"link_expired", "hosted link expired"},
	{"link_revoked", "hosted link revoked"},
	{"link_used", "hosted link in use elsewhere"},
	{"link_completed", "hosted link used already"},
	{"links_unavailable", "no hosted links"},
	{"tokens_unavailable", "no access tokens on premises"},
	{"feature_not_offered", "not in gateway.features"},
	{"feature_not_allowed", "feature not in the token"},
	{"inbox_not_connected", "mailbox not connected"},
	{"mail_parsing_off", "forwarded mail is not read by itself"},
	{"large_save_under_way", "another large save is running"},
	{"export_under_way", "another export is running"},
}

// limits are the names of the rate limits. The first tintCount have colors of their own.
var limits = []choice{
	{"token-user", "tokens per user"},
	{"token-address", "tokens per address"},
	{"failures", "failed authentications per address"},
	{"sign_in-address", "wrong admin keys per address"},
	{"save-user", "saves per user"},
	{"read-user", "reads per user"},
	{"upload-user", "uploads per user"},
	{"admin-user", "operator calls per user"},
	{"token-all", "tokens of all users"},
	{"save-address", "saves per address"},
	{"save-all", "saves of all users"},
	{"read-address", "reads per address"},
	{"read-all", "reads of all users"},
	{"upload-address", "uploads per address"},
	{"upload-all", "uploads of all users"},
	{"admin-address", "operator calls per address"},
	{"admin-all", "operator calls of all users"},
	{"service-user", "calls of a service for a user"},
	{"service-total", "calls of a service for all users"},
	{"service-all", "calls of all services"},
	{"service_key-address", "wrong service keys per address"},
	{"service_key-user", "wrong service keys per user"},
	{"service_key-all", "wrong service keys in all"},
	{"sign_in-user", "wrong admin keys per user"},
	{"sign_in-all", "wrong admin keys of all users"},
}

// sources are where settings come from.
var sources = []choice{{"default", "default"}, {"environment", "environment"}, {"file", "file"}, {"program", "program"}}

// webhookSources are where webhooks are made.
var webhookSources = []choice{{webhook.FromSettings, "settings"}, {webhook.FromAPI, "API"}}

// webhookReasons are why a webhook is disabled.
var webhookReasons = []choice{
	{"operator", "by an operator"}, {"gone", "the receiver answered 410"}, {"settings", "no longer in the settings"},
}

// deliveryStates are the states of deliveries.
var deliveryStates = []choice{
	{"", "All"},
	{string(webhook.Pending), "Waiting"},
	{string(webhook.Delivered), "Delivered"},
	{string(webhook.Failed), "Given up"},
}

// webhookErrors are why a receiver has not taken an event.
var webhookErrors = []choice{
	{webhook.ErrorTimeout, "no answer in time"},
	{webhook.ErrorUnreachable, "not reached"},
	{webhook.ErrorAddress, "its address is not public"},
	{webhook.ErrorStatus, "refused"},
	{webhook.ErrorRedirect, "redirected, which is not followed"},
	{webhook.ErrorGone, "gone for good"},
	{webhook.ErrorEndpoint, "cannot be sent with these settings"},
}

// tintCount is the number of colors for labels. It is more than maxSeries.
const tintCount = 8

// tintsOf chooses the colors of labels in one chart. A label has the same color in every
// chart: one of the first of known by its index there, any other by a hash of its name,
// unless another label of the chart has that color.
func tintsOf(labels []string, known []choice) map[string]string {
	tints, taken := make(map[string]string, len(labels)), [tintCount]bool{}
	take := func(label string, tint int) {
		taken[tint] = true
		tints[label] = "tint-" + strconv.Itoa(tint+1)
	}
	var others []string
	for _, label := range labels {
		if at := slices.IndexFunc(known, func(c choice) bool { return c.Value == label }); at >= 0 && at < tintCount {
			take(label, at)
		} else {
			others = append(others, label)
		}
	}
	slices.Sort(others)
	for _, label := range others {
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(label)) // it never fails
		tint := int(sum.Sum32() % tintCount)
		for taken[tint] {
			tint = (tint + 1) % tintCount
		}
		take(label, tint)
	}
	return tints
}

// revocations is the component with its own labels: it is data, not a service.
const revocations = "revocations"

// components are the labels of dependencies whose name is not shown as it is.
var components = []choice{{revocations, "blocks and revocations"}, {"api_keys", "API keys"}, {"secret_files", "files with secrets"}}

// serviceStates are the states of a dependency.
var serviceStates = []choice{
	{admin.OK, "ok"}, {admin.Degraded, "degraded"}, {admin.Down, "down"}, {admin.Unused, "not used"},
}

// dataStates are the states of revocations.
var dataStates = []choice{
	{admin.OK, "up to date"}, {admin.Degraded, "delayed"}, {admin.Down, "unknown"}, {admin.Unused, "not used"},
}

// scopes are the labels of the scopes of budgets, periods those of their periods.
var (
	scopes  = []choice{{string(budget.User), "Each user"}, {string(budget.App), "Each app"}, {string(budget.All), "All together"}}
	periods = []choice{{string(budget.Day), "Day"}, {string(budget.Month), "Month"}}
)
