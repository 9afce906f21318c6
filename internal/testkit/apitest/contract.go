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

// shared names the problems that any request may end in, on a path that is
// described or not: what stands before the routes answers with them.
var shared = map[int]string{
	http.StatusUnauthorized:          "Unauthenticated",
	http.StatusForbidden:             "Forbidden",
	http.StatusRequestEntityTooLarge: "TooLarge",
	http.StatusTooManyRequests:       "TooManyRequests",
	http.StatusInternalServerError:   "Internal",
	http.StatusServiceUnavailable:    "Unavailable",
}

var (
	errStatus    = errors.New("the status is not described here")
	errNoContent = errors.New("the answer has a body where none is described")
)

// contract is the OpenAPI description, ready to judge by.
type contract struct {
	doc    *openapi3.T
	routes routers.Router
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// described returns the broker's own description, read once.
var described = sync.OnceValues(func() (*contract, error) {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", decodeLines)
	return parse(web.OpenAPI)
})

// decodeLines reads a value on each line, as a list of them.
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

// parse reads a description and checks it, its examples too.
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

// judge returns what is wrong with an answer to req, nil when nothing is.
func (c *contract) judge(req *http.Request, a answer) error {
	if preflight(req) && a.status == http.StatusNoContent && len(a.body) == 0 {
		return nil // CORS is the business of the Fetch standard
	}
	route, err := c.route(req, a.status)
	if err != nil {
		return err
	}
	described := route.Operation.Responses.Status(a.status)
	if described == nil {
		return errStatus
	}
	if len(described.Value.Content) == 0 && len(a.body) > 0 {
		return errNoContent
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true}
	options.WithCustomSchemaErrorFunc(place)
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route},
		Status:                 a.status,
		Header:                 a.header,
		Options:                options,
	}
	return openapi3filter.ValidateResponse(req.Context(), in.SetBodyBytes(a.body))
}

// route finds what the description has for req. For a path or a method that it
// does not have, that is the one shared problem with this status.
func (c *contract) route(req *http.Request, status int) (*routers.Route, error) {
	route, _, err := c.routes.FindRoute(req)
	name := shared[status]
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

// place words a mismatch by where it is, without the schema and the whole value.
// Of an "allOf" it tells what the part that failed says.
func place(err *openapi3.SchemaError) string {
	var part *openapi3.SchemaError
	if errors.As(err.Origin, &part) {
		return place(part)
	}
	return fmt.Sprintf("at %q: %s", "/"+strings.Join(err.JSONPointer(), "/"), err.Reason)
}
