package admin

// advice says why a request was refused, and what an operator can do.
type advice struct{ why, remedy string }

// adviceFor returns the advice for the code of a fault, and the reason that tells faults with one
// code apart.
func adviceFor(code, reason string) advice {
	if a, ok := adviceByReason[code+":"+reason]; ok {
		return a
	}
	if a, ok := adviceByCode[code]; ok {
		return a
	}
	return advice{"It ended with the code " + code + ".", "The log has the cause, under this request_id."}
}

const tokenRemedy = "Compare the app's JWTs with auth.verifiers; broker doctor --user-token JWT checks one." //nolint:gosec // no credential

var adviceByReason = map[string]advice{
	"invalid_token:expired":         {"The caller's JWT had expired.", "The app must get a new one from its sign-in. If it is new, compare the clocks of the app's server and of the broker."},
	"invalid_token:not_yet_valid":   {"The caller's JWT was of the future.", "Compare the clocks of the app's server and of the broker."},
	"invalid_token:signature":       {"The signature of the caller's JWT was not made with the key of its issuer.", "Was the key replaced? List both in auth.verifiers[].secrets for a while, or see whether jwks_url is the right one."},
	"invalid_token:issuer":          {"The issuer (iss) of the caller's JWT is in no verifier.", "Compare it with auth.verifiers[].issuer, to the last slash."},
	"invalid_token:audience":        {"The caller's JWT is for another audience (aud).", "Compare it with auth.verifiers[].audience and audience_claim."},
	"invalid_token:key_unknown":     {"The caller's JWT names a key (kid) that its issuer does not have.", "See whether auth.verifiers[].jwks_url can be read (/readyz), and whether it has that key."},
	"invalid_token:algorithm":       {"The algorithm (alg) of the caller's JWT is not accepted from its issuer.", "Compare it with auth.verifiers[].algorithms."},
	"invalid_token:lifetime":        {"The caller's JWT lives longer than is accepted.", "Shorten it, or raise auth.verifiers[].max_lifetime."},
	"invalid_token:no_expiry":       {"The caller's JWT has no expiry (exp).", "The app's server must set one."},
	"invalid_token:subject":         {"The subject (sub) of the caller's JWT cannot be used.", "It must be a text of 1 to 255 visible bytes; auth.verifiers[].numeric_subject also accepts whole numbers."},
	"invalid_token:malformed":       {"What the caller sent as a token is not a JWT.", tokenRemedy},
	"invalid_token:too_long":        {"The caller's JWT is too long.", "Leave out claims that the broker does not need."},
	"rate_limited:vendor_rate":      {"No API key was free in time: the vendor allows so many calls a minute.", "Add a key to upstream.keys, or have the vendor raise the rate and set upstream.keys[].rate; gateway.queue is how long a call waits."},
	"invalid_token:critical_header": {"The caller's JWT has critical extensions (crit).", "The app's server must leave them out."},
}

var adviceByCode = map[string]advice{
	"invalid_token":        {"The caller's token is not valid: a JWT of no verifier, or an access token that expired or was revoked.", tokenRemedy},
	"unauthenticated":      {"The caller sent no credentials.", "Send Authorization: Bearer with a JWT; behind a proxy, see whether it passes that header on."},
	"invalid_service_key":  {"The service key is not in the settings, or its hash is another one.", "Make a new one with broker service-key and put its hash into auth.service_keys."},
	"invalid_client":       {"The OAuth client has no valid secret or id.", "client_id is the name of a service key or admin key, client_secret the key."},
	"unauthorized_client":  {"The service may not get tokens for users.", "Give its key the scope token:write (auth.service_keys)."},
	"forbidden":            {"The caller lacks the role or scope for this call.", "Give the role in the JWT (auth.verifiers[].roles), or the scope to the service key."},
	"cross_origin":         {"A page of another origin called with a cookie.", "List its origin in server.allowed_origins if it is yours."},
	"origin_not_allowed":   {"A page of an origin that is not allowed called.", "List its origin in server.allowed_origins if it is yours."},
	"subject_blocked":      {"The user is blocked.", "The page of the user in the console says by whom and why; broker unblock lifts the block."},
	"tokens_unavailable":   {"The settings hand out no tokens of this kind.", "See token.mode and upstream.kind."},
	"feature_not_allowed":  {"The access token is not for this call of the vendor.", "See gateway.features, and the features with which the app asks for the token."},
	"feature_not_offered":  {"The settings do not offer this feature.", "See gateway.features."},
	"rate_limited":         {"The caller, its address, or the vendor's rate has reached a limit.", "The log and casbroker_rate_limited_total name the limit; raise it under ratelimit, or the rate of upstream.keys, if the use is right."},
	"too_many_uploads":     {"The user, or all users, upload too many statements at once.", "See gateway.max_uploads and max_uploads_per_user."},
	"too_many_jobs":        {"Several statements of the user wait to be read.", "Wait until one is done; see statements for the bounds."},
	"too_many_files":       {"Too many files were sent or asked for at once.", "Send fewer at a time."},
	"large_save_under_way": {"Another large statement of the user was being saved.", "Send it again after that."},
	"export_under_way":     {"Another export of the user's data was under way.", "Send it again after that."},
	"inbox_not_connected":  {"The user has no connected mailbox, or the connection has ended.", "The user has to connect it again."},
	"mail_parsing_off":     {"The settings do not have the broker read forwarded statements.", "See inbound in the settings."},
	"budget_exhausted":     {"A budget for the vendor's credits is used up.", "broker budgets shows which; broker budgets raise makes it larger for a while."},
	"insufficient_credits": {"The vendor's account is out of credits.", "Buy credits, or add a key to upstream.keys."},
	"upstream_refused":     {"The vendor refuses every API key that this app may use.", "See the log for the reason, and upstream.keys."},
	"wrong_key":            {"The admin key is not in the settings.", "Make a new one with broker admin-key and put its hash into admin.keys."},
	"no_admin_keys":        {"Sign-in with an admin key is not set up.", "Make a key with broker admin-key and put it into admin.keys."},
	"session_ended":        {"The operator's session has ended.", "Sign in again."},
	"insecure_sign_in":     {"The sign-in would have crossed the network unencrypted.", "Use https, or set server.trusted_proxies for the proxy that ends TLS."},
	"link_unknown":         {"The hosted link is not one of this broker, or is deleted.", "Make a new one with broker link."},
	"link_expired":         {"The hosted link has expired.", "Make a new one with broker link."},
	"link_revoked":         {"The hosted link was revoked.", "Make a new one with broker link."},
	"link_used":            {"The hosted link was opened in another browser.", "The user goes on there, or gets a new link."},
	"link_completed":       {"A statement was saved with the hosted link already.", "Make a new one for another statement."},
	"links_unavailable":    {"The settings have no hosted links.", "See link and token.mode."},
}
