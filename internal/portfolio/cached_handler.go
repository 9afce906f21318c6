package portfolio

import (
	"sync"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// answered makes the answers of a route.
type answered struct {
	// version returns the version of what the answer is made of now.
	version func() (string, error)
	// render appends the answer to b, and returns the version of what it is made of, "" if it
	// must not be kept.
	render func(b []byte) (body []byte, version string, err error)
}

// AnswerStats returns what the cache of answers was of use for. It is safe for concurrent use.
func (h *Handler) AnswerStats() AnswerStats { return h.answers.stats() }

// respondCached answers 200 with the answer for key, which is JSON. The caller's subject and
// what the caller accepts are set in key.
func (h *Handler) respondCached(c echo.Context, key answerKey, of answered) error {
	key.subject, key.isGzip = auth.From(c.Request().Context()).Subject, httpapi.AcceptsGzip(c)
	if cached := h.answers.get(&key); cached != nil {
		version, err := of.version()
		if err == nil && version == cached.version {
			h.answers.hits.Add(1)
			return cached.Send(c)
		}
		h.answers.drop(&key)
		if err != nil {
			return err
		}
	}
	h.answers.misses.Add(1)
	buffer := buffers.Get().(*[]byte) //nolint:errcheck // it has nothing else
	defer buffers.Put(buffer)
	body, version, err := of.render((*buffer)[:0])
	if err != nil {
		return err
	}
	*buffer = body
	if version == "" {
		return respondWith(c, body)
	}
	made := &cachedAnswer{key: key, version: version}
	if made.Answer, err = httpapi.NewAnswer(echo.MIMEApplicationJSON, body, key.isGzip); err != nil {
		return err
	}
	h.answers.put(made)
	return made.Send(c)
}

// buffers are for answers.
var buffers = sync.Pool{New: func() any { return new([]byte) }}
