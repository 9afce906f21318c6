package apitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"casbroker/web"
)

// commonProblems are the problems that middleware may answer any request with, on
// paths that the file describes and on others, by status: names of components.
var commonProblems = map[int]string{
	http.StatusUnauthorized:          "Unauthenticated",
	http.StatusForbidden:             "Forbidden",
	http.StatusRequestEntityTooLarge: "TooLarge",
	http.StatusTooManyRequests:       "TooManyRequests",
	http.StatusInternalServerError:   "Internal",
	http.StatusServiceUnavailable:    "Unavailable",
}

var (
	errStatus    = errors.New("the status is not described")
	errNoContent = errors.New("the answer has a body, but none is described")
)

// contract is the parsed OpenAPI file.
type contract struct {
	doc    *openapi3.T
	routes routers.Router
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// loadContract parses the broker's OpenAPI file, once.
var loadContract = sync.OnceValues(func() (*contract, error) {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", decodeLines)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.RegisteredBodyDecoder("text/plain"))
	openapi3filter.RegisterBodyDecoder("text/javascript", openapi3filter.PlainBodyDecoder)
	return parse(web.OpenAPI)
})

// decodeLines decodes one JSON value per line into a list.
func decodeLines(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
	list := []any{}
	for in := json.NewDecoder(body); ; {
		var value any
		switch err := in.Decode(&value); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("decode line %d: %w", len(list)+1, err)
		}
		list = append(list, value)
	}
}

// parse parses and validates an OpenAPI file, including its examples.
func parse(yaml []byte) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(yaml)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background(),
		openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		return nil, err
	}
	routes, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	return &contract{doc, routes}, nil
}

// validate returns an error if the file does not describe the answer a to req.
func (c *contract) validate(req *http.Request, a answer) error {
	if preflight(req) && a.status == http.StatusNoContent && len(a.body) == 0 {
		return nil // defined by the Fetch standard, not by the file
	}
	route, err := c.route(req, a.status)
	if err != nil {
		return err
	}
	expected := route.Operation.Responses.Status(a.status)
	if expected == nil {
		return errStatus
	}
	if len(expected.Value.Content) == 0 && len(a.body) > 0 {
		return errNoContent
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true}
	options.WithCustomSchemaErrorFunc(schemaError)
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route},
		Status:                 a.status,
		Header:                 a.header,
		Options:                options,
	}
	return openapi3filter.ValidateResponse(req.Context(), in.SetBodyBytes(a.body))
}

// route returns the route that the file describes for req. For an unknown path or method
// it is a route with the common problem of this status only.
func (c *contract) route(req *http.Request, status int) (*routers.Route, error) {
	route, _, err := c.routes.FindRoute(req)
	name := commonProblems[status]
	switch {
	case err == nil:
		return route, nil
	case errors.Is(err, routers.ErrPathNotFound) && status == http.StatusNotFound:
		name = "NotFound"
	case errors.Is(err, routers.ErrMethodNotAllowed) && status == http.StatusMethodNotAllowed:
		name = "MethodNotAllowed"
	}
	problem := c.doc.Components.Responses[name]
	if problem == nil {
		return nil, fmt.Errorf("%w: %w", errStatus, err)
	}
	operation := &openapi3.Operation{Responses: openapi3.NewResponses(openapi3.WithStatus(status, problem))}
	return &routers.Route{Spec: c.doc, Method: req.Method, Operation: operation}, nil
}

func preflight(req *http.Request) bool {
	return req.Method == http.MethodOptions && req.Header.Get("Access-Control-Request-Method") != ""
}

// schemaError formats a mismatch as its JSON pointer and reason, without the schema and
// the value. For "allOf" it is the mismatch of the part that failed.
func schemaError(err *openapi3.SchemaError) string {
	var part *openapi3.SchemaError
	if errors.As(err.Origin, &part) {
		return schemaError(part)
	}
	return fmt.Sprintf("at %q: %s", "/"+strings.Join(err.JSONPointer(), "/"), err.Reason)
}
