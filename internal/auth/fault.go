package auth

import (
	"time"

	"casbroker/internal/fault"
)

// Errors of a caller's credentials. Every detail is ASCII without quotes or backslashes,
// because it is also sent as the error_description of WWW-Authenticate (RFC 6750,
// section 3).
var (
	// ErrUnauthenticated is returned when the request carries no token.
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated",
		"Sign in: send a JWT as Authorization: Bearer <token>.")
	// ErrInvalidToken is returned when the token is refused; the detail says why.
	ErrInvalidToken = fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.")
	// ErrInvalidRequest is returned when the credentials contradict one another.
	ErrInvalidRequest = fault.New(fault.Invalid, "invalid_request", "The credentials of the request are contradictory.")
	// ErrUnavailable is returned while the issuer's keys have never been loaded, or not for
	// too long.
	ErrUnavailable = fault.New(fault.Unavailable, "auth_unavailable",
		"The keys of the token's issuer are not loaded yet; try again soon.").After(5 * time.Second)
	// ErrCrossOrigin is returned when a page of another site used the caller's cookie.
	ErrCrossOrigin = fault.New(fault.Forbidden, "cross_origin",
		"A call that changes something and is authenticated by a cookie must come from a page of this site.")
	errUnproven = ErrCrossOrigin.Withf("A call that is put on record and authenticated by a cookie must come from a page of this site, " +
		"with a browser that says so. Programs send the JWT as Authorization: Bearer <token>.")
	// ErrForbidden is returned when the caller lacks the required role.
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "The caller lacks the role that this call needs.")
)

// Reasons to refuse a token. None of them repeats any part of the token.
var (
	errTooLong   = ErrInvalidToken.WithReason("too_long").Withf("The token is longer than %d bytes.", MaxTokenSize)
	errMalformed = ErrInvalidToken.WithReason("malformed").Withf("The token is not a JWT of three base64url parts with a signature.")
	errHeader    = ErrInvalidToken.WithReason("malformed").Withf("The token's header is not a JSON object that a JWT can have.")
	errCritical  = ErrInvalidToken.WithReason("critical_header").Withf("The token's header has critical extensions (crit), which are not supported.")
	errClaims    = ErrInvalidToken.WithReason("malformed").Withf("The token's claims are not a JSON object with distinct names in valid UTF-8.")

	errNoIssuer = ErrInvalidToken.WithReason("issuer").Withf("The token has no issuer (iss).")
	errIssuer   = ErrInvalidToken.WithReason("issuer").Withf("The token's issuer (iss) is not accepted by this service.").
			WithNotef("compare it with auth.verifiers[].issuer")
	errAlgorithm = ErrInvalidToken.WithReason("algorithm").Withf("The token's algorithm (alg) is not accepted from its issuer.").
			WithNotef("compare it with auth.verifiers[].algorithms")
	errNoKeyID   = ErrInvalidToken.WithReason("key_unknown").Withf("The token names no key (kid) although its issuer has several.")
	errKeyID     = ErrInvalidToken.WithReason("key_unknown").Withf("The token names a key (kid) that its issuer does not have for this algorithm.")
	errSignature = ErrInvalidToken.WithReason("signature").Withf("The token's signature was not made with the key of its issuer.")

	errNoAudience = ErrInvalidToken.WithReason("audience").Withf("The token has no audience (aud).")
	errAudience   = ErrInvalidToken.WithReason("audience").Withf("The token's audience (aud) is not accepted by this service.").
			WithNotef("compare it with auth.verifiers[].audience")
	errNoExpiry = ErrInvalidToken.WithReason("no_expiry").Withf("The token has no expiry (exp).")
	errExpired  = ErrInvalidToken.WithReason("expired").Withf("The token has expired (exp); get a new one.")
	errLifetime = ErrInvalidToken.WithReason("lifetime").Withf("The token's lifetime is longer than this service accepts.").
			WithNotef("compare it with auth.verifiers[].max_lifetime")
	errNotYet = ErrInvalidToken.WithReason("not_yet_valid").Withf("The token is not valid yet (nbf); compare the clocks.")
	errFuture = ErrInvalidToken.WithReason("not_yet_valid").Withf("The token was issued in the future (iat); compare the clocks.")
	errNumber = ErrInvalidToken.WithReason("subject").Withf("The token's subject (sub) is a number; this service takes only texts.").
			WithNotef("auth.verifiers[].numeric_subject: true takes whole numbers, too")
	errFraction = ErrInvalidToken.WithReason("subject").Withf("The token's subject (sub) is a number, but not a whole one without sign and exponent.")
	errSubject  = ErrInvalidToken.WithReason("subject").Withf("The token's subject (sub) must be 1 to %d bytes of visible text.", maxSubjectSize)
)

// Reasons to refuse a request before its token is parsed.
var (
	errManyHeaders = ErrInvalidRequest.Withf("Send one Authorization header, not several.")
	errManyCookies = ErrInvalidRequest.Withf("The browser sent several sign-in cookies. Sign out, delete the cookies of this site, and sign in again.")
)
