package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// handle answers a request of method with err.
func handle(t *testing.T, method string, err error) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), method, "/", nil), w)
	c.Response().Header().Set(httpapi.HeaderRequestID, "req_1")
	httpapi.HandleError(err, c)
	return w
}

func TestEachKindOfFaultHasItsStatus(t *testing.T) {
	t.Parallel()
	for kind, status := range map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404,
		fault.NotAllowed: 405, fault.Conflict: 409, fault.TooLarge: 413, fault.Unsupported: 415, fault.Unprocessable: 422, fault.Exhausted: 402,
		fault.Limited: 429, fault.Unavailable: 503,
	} {
		if got := handle(t, http.MethodGet, fault.New(kind, "x", "X.")).Code; got != status {
			t.Errorf("kind %d: got %d, want %d", kind, got, status)
		}
	}
}

func TestWrappedFaultIsAnsweredInFull(t *testing.T) {
	t.Parallel()
	declared := fault.New(fault.Unavailable, "asleep", "It sleeps.")
	err := fmt.Errorf("outer: %w", declared.Because(errors.New("hidden cause")).After(1500*time.Millisecond).
		At(fault.Field{Pointer: "/a", Code: "b", Detail: "c"}))
	w := handle(t, http.MethodGet, err)
	var p httpapi.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Type != "/problems/asleep" || p.Title != "Service Unavailable" || p.Detail != "It sleeps." || p.RequestID != "req_1" ||
		len(p.Errors) != 1 || p.Errors[0].Pointer != "/a" {
		t.Errorf("got %+v", p)
	}
	if w.Header().Get("Retry-After") != "2" || w.Header().Get("Content-Type") != httpapi.ContentType || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", w.Header())
	}
	if declared.RetryAfter != 0 || declared.Fields != nil || declared.Unwrap() != nil {
		t.Error("the declared fault was changed")
	}
	if !errors.Is(err, declared) {
		t.Error("the error no longer is the declared fault")
	}
}

func TestNoteAndCauseAreNeverSent(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.Unavailable, "asleep", "It sleeps.").WithNotef("hidden note").Because(errors.New("hidden cause"))
	w := handle(t, http.MethodPost, err)
	oauth := fmt.Sprintf("%+v", httpapi.OAuth(httpapi.ProblemOf(err)))
	if answer := fmt.Sprint(w.Header(), w.Body, oauth); strings.Contains(answer, "hidden") {
		t.Errorf("got %s", answer)
	}
}

func TestBodyOverTheLimitGets413(t *testing.T) {
	t.Parallel()
	if w := handle(t, http.MethodPost, fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 10})); w.Code != 413 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestHeadGetsStatusWithoutBody(t *testing.T) {
	t.Parallel()
	if w := handle(t, http.MethodHead, fault.New(fault.NotFound, "x", "X.")); w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestAnswerThatHasBegunStaysAsItIs(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), w)
	_ = c.String(200, "begun")
	httpapi.HandleError(errors.New("late"), c)
	if w.Code != 200 || w.Body.String() != "begun" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestRoutesAnswerErrorsInTheDialectTheyAreMountedWith(t *testing.T) {
	t.Parallel()
	for kind, want := range map[fault.Kind]string{
		fault.Invalid: "invalid_request", fault.TooLarge: "invalid_request", fault.Unsupported: "invalid_request",
		fault.NotFound: "invalid_request", fault.NotAllowed: "invalid_request", fault.Unauthenticated: "invalid_client",
		fault.Forbidden: "unauthorized_client", fault.Limited: "temporarily_unavailable",
		fault.Unavailable: "temporarily_unavailable", fault.Internal: "server_error",
	} {
		e := echo.New()
		e.HTTPErrorHandler = httpapi.HandleError
		fail := func(echo.Context) error { return fault.New(kind, "some_code", `Say "at_…", not a\b.`) }
		e.POST("/oauth/revoke", fail, httpapi.InDialect(httpapi.OAuth))
		e.POST("/v1/token", fail)
		post := func(path string) (answer map[string]any) {
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil))
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			return answer
		}
		oauth, plain := post("/oauth/revoke"), post("/v1/token")
		if oauth["error"] != want || oauth["status"] == nil || oauth["code"] == nil {
			t.Errorf("kind %d: got %v", kind, oauth)
		}
		if text := oauth["error_description"]; kind != fault.Internal && text != "Say 'at_?', not a'b." || kind == fault.Internal && text != nil {
			t.Errorf("kind %d: error_description is %q", kind, text)
		}
		if plain["error"] != nil || plain["error_description"] != nil {
			t.Errorf("kind %d without a dialect: got %v", kind, plain)
		}
	}
}
