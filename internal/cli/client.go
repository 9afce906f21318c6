package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/admin/session"
	"casbroker/internal/app"
	"casbroker/internal/secret"
)

const (
	// answerTimeout bounds one request: longer than the broker waits for its database.
	answerTimeout = 30 * time.Second
	// signOutTimeout bounds the sign-out, for which the user waits after Ctrl-C too.
	signOutTimeout = 3 * time.Second
	// maxAnswer limits an answer that is read into memory, in bytes: more than a page of
	// a thousand records.
	maxAnswer = 16 << 20
)

// sessionPath is the path that starts and ends sessions.
const sessionPath = "/admin/v1/session"

var (
	errNoSession = errors.New("the broker accepted the key but started no session; check that --url is a broker")
	errCutOff    = errors.New("stopped before the broker answered: the request may or may not have been carried out")
)

// client sends requests to a running broker, in a session.
type client struct {
	base    string // "https://broker.example", without a trailing slash
	http    *http.Client
	session string      // the cookie, "name=value"; "" before the sign-in
	key     secret.Text // a service key, sent instead of the cookie; "" for none
}

// signIn exchanges key for a session. It keeps the cookie itself: over http, a cookie jar
// would not send back a Secure cookie.
func (c *client) signIn(ctx context.Context, key secret.Text) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	res, err := c.send(ctx, http.MethodPost, sessionPath, map[string]string{"key": key.Reveal()})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	for _, cookie := range res.Cookies() {
		if session.IsCookie(cookie.Name) {
			c.session = cookie.Name + "=" + cookie.Value
		}
	}
	if c.session == "" {
		return errNoSession
	}
	return nil
}

// signOut ends the session, even after ctx has ended. It prints a warning if the session
// cannot be ended, unless it is over already.
func (c *client) signOut(ctx context.Context, t *Terminal) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signOutTimeout)
	defer cancel()
	res, err := c.send(ctx, http.MethodDelete, sessionPath, nil)
	if err == nil {
		_ = res.Body.Close()
		return
	}
	if r, ok := errors.AsType[*refusal](err); !ok || r.Status != http.StatusUnauthorized {
		t.message(fmt.Sprintf("warning: the session could not be ended; it expires by itself: %v", err))
	}
}

// ask sends one request, with body as JSON unless it is nil, and returns the JSON answer.
// The error is a *refusal if the broker refused, and a formError if the answer does not
// have the form of a broker's.
func (c *client) ask(ctx context.Context, method, path string, body any) (jsontext.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := checkMedia(res, "application/json"); err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.unanswered(ctx, err)
	case len(answer) > maxAnswer:
		return nil, formError{fmt.Errorf("it is longer than %d MiB", maxAnswer>>20)}
	}
	return answer, nil
}

// send sends one request and returns the successful response; the caller must close its
// body.
func (c *client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	content := []byte(nil)
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(content))
	if err != nil {
		return nil, usageError{err}
	}
	req.Header.Set("User-Agent", "casbroker-cli "+app.BuildInfo().String())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
	if c.session != "" {
		req.Header.Set("Cookie", c.session)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unanswered(ctx, err)
	}
	if res.StatusCode >= http.StatusOK && res.StatusCode < http.StatusMultipleChoices {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, c.refused(res)
}

// unanswered describes why there was no complete answer.
func (c *client) unanswered(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded), errors.Is(cause, errIdle):
		return fmt.Errorf("the broker at %s did not answer in time: the request may or may not have been carried out", c.base)
	case cause != nil:
		return errCutOff
	default:
		return fmt.Errorf("got no complete answer from the broker at %s: %w", c.base, err)
	}
}
