package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"
)

const (
	// maxDownload bounds one download, however slowly it is read.
	maxDownload = 10 * time.Minute
	// writeTimeout bounds one write. It replaces the server's timeout, which a download
	// may exceed.
	writeTimeout = 30 * time.Second
)

// Download describes an answer that the caller saves as a file. All fields are required.
type Download struct {
	Name string // of the file, for browsers: ASCII without quotes
	Type string // media type
	Log  *slog.Logger
}

// Send calls write to produce the content, for ten minutes at most. An error before the
// first byte is returned, and res is then unchanged. After the first byte an error closes
// the connection, by a panic with http.ErrAbortHandler, since a truncated file must not
// look complete.
func (d Download) Send(ctx context.Context, res http.ResponseWriter, write func(ctx context.Context, w io.Writer) error) error {
	ctx, cancel := context.WithTimeout(ctx, maxDownload)
	defer cancel()
	h := res.Header()
	h.Set("Content-Type", d.Type)
	h.Set("Content-Disposition", `attachment; filename="`+d.Name+`"`)
	w := &deadlineWriter{res: res, controller: http.NewResponseController(res)}
	err := write(ctx, w)
	switch {
	case err == nil:
		return nil
	case !w.began:
		h.Del("Content-Type")
		h.Del("Content-Disposition")
		return err
	}
	d.Log.WarnContext(ctx, "download aborted", "name", d.Name, "error", err)
	panic(http.ErrAbortHandler)
}

// deadlineWriter is an answer that extends the write deadline before each write.
type deadlineWriter struct {
	res        http.ResponseWriter
	controller *http.ResponseController
	began      bool
}

// Write writes p. It fails when the client does not read within writeTimeout.
func (w *deadlineWriter) Write(p []byte) (int, error) {
	w.began = true
	// Test recorders have no deadlines.
	_ = w.controller.SetWriteDeadline(time.Now().Add(writeTimeout))
	return w.res.Write(p)
}
