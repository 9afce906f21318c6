package auth

import (
	"time"

	"casbroker/internal/fault"
)

// What can go wrong with a caller's credentials. The details of all of them are
// ASCII without quotes or backslashes, because they also stand in the
// error_description of WWW-Authenticate (RFC 6750, section 3).
var (
	// ErrUnauthenticated: the request carries no token.
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated",
		"Sign in: send a JWT as Authorization: Bearer <token>.")
	// ErrInvalidToken: the request carries a token that is not taken; the detail says why.
	ErrInvalidToken = fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.")
	// ErrInvalidRequest: the credentials contradict one another.
	ErrInvalidRequest = fault.New(fault.Invalid, "invalid_request", "The credentials of the request are contradictory.")
	// ErrUnavailable: the issuer's keys have never been loaded, so nothing can be verified.
	ErrUnavailable = fault.New(fault.Unavailable, "auth_unavailable",
		"The keys of the token's issuer are not loaded yet; try again soon.").After(5 * time.Second)
	// ErrCrossOrigin: a page of another site used the caller's cookie.
	ErrCrossOrigin = fault.New(fault.Forbidden, "cross_origin",
		"A call that changes something and is authenticated by cookie must come from a page of this site.")
	// ErrForbidden: the caller is known and lacks the role.
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "The caller lacks the role that this call needs.")
)

// Why a token was not taken. None of them repeats anything from the token.
var (
	errTooLong   = ErrInvalidToken.Withf("The token is longer than %d bytes.", maxTokenSize)
	errMalformed = ErrInvalidToken.Withf("The token is not a JWT of three base64url parts with a signature.")
	errHeader    = ErrInvalidToken.Withf("The token's header is not the JSON of a JWT header.")
	errCritical  = ErrInvalidToken.Withf("The token's header has critical extensions (crit), and none is understood.")
	errClaims    = ErrInvalidToken.Withf("The token's claims are not a JSON object with distinct names in valid UTF-8.")

	errNoIssuer  = ErrInvalidToken.Withf("The token has no issuer (iss).")
	errIssuer    = ErrInvalidToken.Withf("The token's issuer (iss) is not one of those configured.")
	errAlgorithm = ErrInvalidToken.Withf("The token's algorithm (alg) is not one of those configured for its issuer.")
	errNoKeyID   = ErrInvalidToken.Withf("The token names no key (kid) although its issuer has several.")
	errKeyID     = ErrInvalidToken.Withf("The token names a key (kid) that its issuer does not have for this algorithm.")
	errSignature = ErrInvalidToken.Withf("The token's signature was not made with the key of its issuer.")

	errNoAudience = ErrInvalidToken.Withf("The token has no audience (aud).")
	errAudience   = ErrInvalidToken.Withf("The token's audience (aud) is not one of those configured.")
	errNoExpiry   = ErrInvalidToken.Withf("The token has no expiry (exp).")
	errExpired    = ErrInvalidToken.Withf("The token has expired (exp); get a new one.")
	errLifetime   = ErrInvalidToken.Withf("The token lives longer (exp) than is configured for its issuer.")
	errNotYet     = ErrInvalidToken.Withf("The token is not valid yet (nbf); compare the clocks.")
	errFuture     = ErrInvalidToken.Withf("The token was issued in the future (iat); compare the clocks.")
	errSubject    = ErrInvalidToken.Withf("The token's subject (sub) has to be 1 to %d bytes of visible text.", maxSubjectSize)
)

// What is wrong before any token is looked at.
var (
	errManyHeaders = ErrInvalidRequest.Withf("Send one Authorization header, not several.")
	errManyCookies = ErrInvalidRequest.Withf("Send one sign-in cookie, not several of the same name.")
)
