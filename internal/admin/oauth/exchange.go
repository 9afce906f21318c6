package oauth

import (
	"net/http"
	"strconv"
	"strings"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// The names of RFC 8693.
const (
	grantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange" //nolint:gosec // a name
	typeAccessToken    = "urn:ietf:params:oauth:token-type:access_token"   //nolint:gosec // a name
	typeJWT            = "urn:ietf:params:oauth:token-type:jwt"
	typeIDToken        = "urn:ietf:params:oauth:token-type:id_token" //nolint:gosec // a name
)

var (
	errExchange = fault.New(fault.Invalid, "invalid_request",
		"The body must be a percent-encoded form with grant_type, subject_token and subject_token_type.")
	errGrantType = fault.New(fault.Invalid, "unsupported_grant_type",
		"grant_type must be "+grantTokenExchange+".")
	errSubjectType = errExchange.Withf(
		"subject_token_type must be %s, or that of an access_token or id_token that is a JWT.", typeJWT)
	errRequestedType = errExchange.Withf("requested_token_type must be %s, or be left out.", typeAccessToken)
	errActor         = errExchange.Withf("Leave out actor_token and actor_token_type; a service sends its own token as Authorization: Bearer <token>.")
	errTarget        = fault.New(fault.Invalid, "invalid_target",
		"Leave out resource and audience: the access token is for one API only.")
	errClientMethod = fault.New(fault.Unauthenticated, "invalid_client",
		"This endpoint takes no client secret and no assertion: send none, or a JWT as Authorization: Bearer <token>.")
	errClient = fault.New(fault.Unauthenticated, "invalid_client", "The client's own token is not valid.")
	// errService is returned to a service that may not get tokens for the user.
	errService = fault.New(fault.Forbidden, "unauthorized_client", "This service may not get access tokens for users; that needs the scope token:write.")
	// errOtherUser is returned to a client that is neither a service nor the user itself.
	errOtherUser = fault.New(fault.Forbidden, "unauthorized_client",
		"The client is another user; send the token of a service, or none.")
)

// exchangeRequest is a token exchange (RFC 8693, section 2.1).
type exchangeRequest struct {
	subject secret.Text
	params  token.Params
}

// once returns the parameters of a form. It returns errExchange if one is there twice (RFC
// 6749, section 3.2). An empty one is the same as none.
func once(form map[string][]string) (map[string]string, error) {
	values := make(map[string]string, len(form))
	for name, list := range form {
		if len(list) > 1 && name != "resource" && name != "audience" {
			return nil, errExchange.Withf("Send each parameter once.")
		}
		values[name] = list[0]
	}
	return values, nil
}

// readExchange returns the request in a form. It ignores parameters that are not known (RFC
// 6749, section 3.2), such as client_id.
func readExchange(form map[string][]string) (req exchangeRequest, err error) {
	p, err := once(form)
	if err != nil {
		return req, err
	}
	switch grant := p["grant_type"]; {
	case grant == "":
		return req, errExchange
	case grant != grantTokenExchange:
		return req, errGrantType
	case p["client_secret"] != "" || p["client_assertion"] != "":
		return req, errClientMethod
	case p["subject_token"] == "":
		return req, errExchange
	case p["subject_token_type"] != typeJWT && p["subject_token_type"] != typeAccessToken && p["subject_token_type"] != typeIDToken:
		return req, errSubjectType
	case p["requested_token_type"] != "" && p["requested_token_type"] != typeAccessToken:
		return req, errRequestedType
	case p["actor_token"] != "" || p["actor_token_type"] != "":
		return req, errActor
	case p["resource"] != "" || p["audience"] != "":
		return req, errTarget
	}
	req.subject = secret.Text(p["subject_token"])
	req.params, err = readParams(p)
	return req, err
}

// readParams returns what a form asks for in the access token: the scopes of gateway tokens
// are features, and expiry_minutes and mode are those of POST /v1/token.
func readParams(p map[string]string) (params token.Params, err error) {
	if scope := p["scope"]; scope != "" {
		features := strings.Split(scope, " ")
		params.Features = &features
	}
	if mode := token.Mode(p["mode"]); mode != "" {
		params.Mode = &mode
	}
	if text := p["expiry_minutes"]; text != "" {
		minutes, err := strconv.Atoi(text)
		if err != nil {
			return params, errExchange.Withf("expiry_minutes must be a whole number from 1 to 60.")
		}
		params.ExpiryMinutes = &minutes
	}
	return params, nil
}

// exchanged is the answer to a token exchange (RFC 8693, section 2.2.1). The members after
// Scope are not part of the RFC.
type exchanged struct {
	AccessToken     string     `json:"access_token"`
	IssuedTokenType string     `json:"issued_token_type"`
	TokenType       string     `json:"token_type"`
	ExpiresIn       int64      `json:"expires_in"`
	Scope           string     `json:"scope,omitempty"`
	GrantID         string     `json:"grant_id"`
	Mode            token.Mode `json:"mode"`
	APIBaseURL      string     `json:"api_base_url,omitempty"`
}

// metadata describes the endpoints (RFC 8414).
type metadata struct {
	Issuer                   string   `json:"issuer"`
	TokenEndpoint            string   `json:"token_endpoint,omitempty"`
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	GrantTypes               []string `json:"grant_types_supported"`
	ResponseTypes            []string `json:"response_types_supported"` // none: there is no authorization endpoint
	Scopes                   []string `json:"scopes_supported,omitempty"`
	RevocationEndpoint       string   `json:"revocation_endpoint"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionEndpoint    string   `json:"introspection_endpoint"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	ServiceDocumentation     string   `json:"service_documentation"`
}

// clientMethods are the ways in which a client of revocation and introspection authenticates.
var clientMethods = []string{secretBasic, secretPost, bearerMethod}

// bearerMethod is the authentication with a JWT in the header Authorization. It is the name
// of an access token type, which RFC 8414 allows for introspection.
const bearerMethod = "Bearer"

// describe returns the metadata of the broker at the URL issuer. Without tokens there is no
// token endpoint.
func describe(issuer string, scopes []string, tokens bool) metadata {
	m := metadata{
		Issuer: issuer, GrantTypes: []string{},
		ResponseTypes: []string{}, Scopes: scopes,
		RevocationEndpoint: issuer + "/oauth/revoke", RevocationAuthMethods: clientMethods,
		IntrospectionEndpoint: issuer + "/oauth/introspect", IntrospectionAuthMethods: clientMethods,
		ServiceDocumentation: issuer + "/openapi.yaml",
	}
	if tokens {
		m.TokenEndpoint, m.TokenAuthMethods, m.GrantTypes = issuer+"/oauth/token", []string{"none"}, []string{grantTokenExchange}
	}
	return m
}

// errNoMetadata is returned if the broker does not know its own URL.
var errNoMetadata = fault.New(fault.NotFound, "no_metadata", "This broker publishes no metadata at this address.").
	WithNotef("set server.public_url")

// hasSecret reports whether a request has credentials of a client in another form than a
// bearer token.
func hasSecret(h http.Header) bool {
	scheme, _, _ := strings.Cut(h.Get("Authorization"), " ")
	return scheme != "" && !strings.EqualFold(scheme, bearerMethod)
}
