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
	// answerTime bounds one question: longer than the broker waits for its database.
	answerTime = 30 * time.Second
	// goodbyeTime bounds the sign-out, which also whoever pressed Ctrl-C waits for.
	goodbyeTime = 3 * time.Second
	// maxAnswer is what an answer that is read at once may have, in bytes: more than
	// a page of a thousand records.
	maxAnswer = 16 << 20
)

// sessionPath is where sessions are begun and ended.
const sessionPath = "/admin/v1/session"

var (
	errNoSession = errors.New("the broker took the key and gave no session; is --url that of a broker?")
	errCutOff    = errors.New("stopped before the broker answered: what was asked may be done, or not")
)

// client asks a running broker, once it is signed in there.
type client struct {
	base    string // "https://broker.example", without a slash at its end
	http    *http.Client
	session string // what the cookie holds; "" while nobody is signed in
}

// signIn exchanges key for a session. The cookie is kept by hand: over http a cookie
// jar would not send back one that is for https alone.
func (c *client) signIn(ctx context.Context, key secret.Text) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	res, err := c.send(ctx, http.MethodPost, sessionPath, map[string]string{"key": key.Reveal()})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	for _, cookie := range res.Cookies() {
		if cookie.Name == session.CookieName {
			c.session = cookie.Value
		}
	}
	if c.session == "" {
		return errNoSession
	}
	return nil
}

// signOut ends the session, also when ctx has ended. One that is over already is as
// good; of one that cannot be ended it says so.
func (c *client) signOut(ctx context.Context, t *Terminal) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
	defer cancel()
	res, err := c.send(ctx, http.MethodDelete, sessionPath, nil)
	if err == nil {
		_ = res.Body.Close()
		return
	}
	if r, ok := errors.AsType[*refusal](err); !ok || r.Status != http.StatusUnauthorized {
		t.say(fmt.Sprintf("mind: the session could not be ended; left alone it ends by itself: %v", err))
	}
}

// ask makes one request, with body as JSON unless it is nil, and returns the whole
// answer, which is JSON. The error of an answer that is none of success is a *refusal,
// of one that a broker does not give a formError.
func (c *client) ask(ctx context.Context, method, path string, body any) (jsontext.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := isOf(res, "application/json"); err != nil {
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

// send makes one request and returns an answer of success, whose body is to be closed.
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
	if c.session != "" {
		req.Header.Set("Cookie", session.CookieName+"="+c.session)
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

// unanswered says in which way no whole answer came.
func (c *client) unanswered(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded), errors.Is(cause, errQuiet):
		return fmt.Errorf("the broker at %s did not answer in time: what was asked may be done, or not", c.base)
	case cause != nil:
		return errCutOff
	default:
		return fmt.Errorf("got no whole answer from the broker at %s: %w", c.base, err)
	}
}
