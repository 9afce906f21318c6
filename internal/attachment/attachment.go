// Package attachment answers a request with a file that is written as it is made, of
// whatever size, and whose reader may be slow. What is in the file is the caller's.
package attachment

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"
)

const (
	// most bounds one file, however slowly it is read.
	most = 10 * time.Minute
	// pause is how long a reader may take for what is written at once. A file may take
	// longer than other answers may.
	pause = 30 * time.Second
)

// File is what to answer with. All fields are required.
type File struct {
	Name string // that a browser saves it under: ASCII without quotes
	Type string // media type
	Log  *slog.Logger
}

// Send has write make the file, for ten minutes at most. An error before the first byte
// comes back, and the answer is as if nothing was tried; after it the connection is cut,
// by a panic with http.ErrAbortHandler: a part must not pass for the whole.
func (f File) Send(ctx context.Context, res http.ResponseWriter, write func(ctx context.Context, w io.Writer) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	h := res.Header()
	h.Set("Content-Type", f.Type)
	h.Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	w := &patient{res: res, time: http.NewResponseController(res)}
	err := write(ctx, w)
	switch {
	case err == nil:
		return nil
	case !w.began:
		h.Del("Content-Type")
		h.Del("Content-Disposition")
		return err
	}
	f.Log.WarnContext(ctx, "a file was cut short", "name", f.Name, "error", err)
	panic(http.ErrAbortHandler)
}

// patient is an answer whose every write may take a pause.
type patient struct {
	res   http.ResponseWriter
	time  *http.ResponseController
	began bool
}

// Write writes p, or fails when the reader does not take it in time.
func (w *patient) Write(p []byte) (int, error) {
	w.began = true
	// A writer that has no deadlines does without.
	_ = w.time.SetWriteDeadline(time.Now().Add(pause))
	return w.res.Write(p)
}
