package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// The authentication methods of RFC 6749, section 2.3.1, by the names of RFC 7591.
const (
	secretBasic = "client_secret_basic"
	secretPost  = "client_secret_post"
)

// basicChallenge is the challenge of an answer to a client whose secret is not valid.
const basicChallenge = `Basic realm="casbroker"`

var (
	errBasic = fault.New(fault.Unauthenticated, "invalid_client",
		"The header Authorization must be Basic and the base64 of client_id:client_secret, both percent-encoded.")
	errOneMethod = fault.New(fault.Invalid, "invalid_request",
		"Send the client's credentials once: as Authorization, or as client_id and client_secret in the body.")
	errAssertion = fault.New(fault.Unauthenticated, "invalid_client",
		"This endpoint takes no client assertion: send a service key as client_secret, or a JWT as Authorization: Bearer <token>.")
	errNoSecret = fault.New(fault.Unauthenticated, "invalid_client", "A client that sends client_secret must send its client_id, too.")
)

// Clients authenticates clients by client_id and client_secret, which are the name and the
// key of a service or an operator. Both fields are required.
type Clients struct {
	// ByKey returns the service or operator called name, or an error if key is not its key. It
	// calls reserve before a costly comparison, and returns its error instead.
	ByKey func(ctx context.Context, name string, key secret.Text, reserve func() error) (*auth.Principal, error)
	// Reserve counts an attempt, or refuses it.
	Reserve func(c echo.Context) error
}

// Middleware authenticates clients that send a secret, and others by other.
func (m Clients) Middleware(other echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		otherwise := other(next)
		return func(c echo.Context) error {
			id, key, found, err := credentials(c)
			switch {
			case err != nil:
				return challenge(c, err)
			case !found:
				return otherwise(c)
			}
			who, err := m.ByKey(c.Request().Context(), id, key, func() error { return m.Reserve(c) })
			if err != nil {
				return challenge(c, err)
			}
			r := c.Request()
			c.SetRequest(r.WithContext(auth.With(r.Context(), who)))
			return next(c)
		}
	}
}

// challenge returns err, with the challenge that RFC 6749, section 5.2, asks for.
func challenge(c echo.Context, err error) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Unauthenticated {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, basicChallenge)
	}
	return err
}

// credentials returns the client_id and client_secret of a request. found is false if it has
// none, but credentials of another kind, or none at all.
func credentials(c echo.Context) (id string, key secret.Text, found bool, err error) {
	r := c.Request()
	if isBasic(r.Header) {
		id, key, err = readBasic(r)
		return id, key, true, err
	}
	if len(r.Header["Authorization"]) > 0 || !isForm(r.Header) {
		return "", "", false, nil
	}
	form, err := formOf(c)
	if err != nil {
		return "", "", false, err
	}
	id, key = form.Get("client_id"), secret.Text(form.Get("client_secret"))
	switch {
	case form.Get("client_assertion") != "":
		return "", "", false, errAssertion
	case len(form["client_id"]) > 1 || len(form["client_secret"]) > 1:
		return "", "", false, errOneMethod
	case key != "" && id == "":
		return "", "", false, errNoSecret
	}
	return id, key, key != "", nil
}

func isBasic(h http.Header) bool {
	values := h["Authorization"]
	if len(values) != 1 {
		return false
	}
	scheme, _, _ := strings.Cut(values[0], " ")
	return strings.EqualFold(scheme, "Basic")
}

// readBasic returns what the Authorization header of r has. Both parts are percent-encoded,
// as in a form (RFC 6749, section 2.3.1).
func readBasic(r *http.Request) (id string, key secret.Text, err error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return "", "", errBasic
	}
	id, idErr := url.QueryUnescape(user)
	text, textErr := url.QueryUnescape(password)
	if idErr != nil || textErr != nil {
		return "", "", errBasic // the cause repeats what was sent
	}
	return id, secret.Text(text), nil
}

// checkUnused returns an error if a client that is authenticated otherwise has a secret or an
// assertion in its form, too.
func checkUnused(r *http.Request, form url.Values) error {
	switch {
	case form.Get("client_assertion") != "":
		return errAssertion
	case form.Get("client_secret") != "" && len(r.Header["Authorization"]) > 0:
		return errOneMethod
	}
	return nil
}

const formKey = "casbroker/oauth/form" // of the form of a request, in Echo's context

// formOf returns the form of the request, which it reads once.
func formOf(c echo.Context) (url.Values, error) {
	if form, ok := c.Get(formKey).(url.Values); ok {
		return form, nil
	}
	form, err := readForm(c.Response(), c.Request(), errRequest)
	if err == nil {
		c.Set(formKey, form)
	}
	return form, err
}

// readToken returns the token in the form of a request. It ignores other members, such as
// token_type_hint (RFC 7009, section 2.1).
func readToken(c echo.Context) (secret.Text, error) {
	form, err := formOf(c)
	if err != nil {
		return "", err
	}
	if err := checkUnused(c.Request(), form); err != nil {
		return "", err
	}
	if tokens := form["token"]; len(tokens) != 1 || tokens[0] == "" {
		return "", errRequest
	}
	return secret.Text(form.Get("token")), nil
}
