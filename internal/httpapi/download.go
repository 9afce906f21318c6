package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/spool"
)

const (
	// maxDownload bounds one download, however slowly it is read.
	maxDownload = 10 * time.Minute
	// writeTimeout bounds one write. It replaces the server's timeout, which a download
	// may exceed.
	writeTimeout = 30 * time.Second
)

// Download describes an answer that the caller saves as a file. All fields but Spool are
// required.
type Download struct {
	Name string // of the file, for browsers: ASCII without quotes
	Type string // media type
	Log  *slog.Logger
	// Spool holds the file until it was sent, so that the caller waits for none of what
	// produces it. nil sends the file as it is produced.
	Spool *spool.Dir
}

// ErrNoSpool is returned for a file that cannot be stored until it was sent.
var ErrNoSpool = fault.New(fault.Unavailable, "export_unavailable",
	"The file cannot be prepared at the moment; try again later.").After(time.Minute).
	WithNotef("Free space in store.export_dir, or raise store.export_max.")

// Send answers r: it calls write to produce the content, for ten minutes at most. An error before the
// first byte is returned, and res is then unchanged. After the first byte an error closes
// the connection, by a panic with http.ErrAbortHandler, since a truncated file must not
// look complete. With a Spool, any error of write is before the first byte.
func (d Download) Send(r *http.Request, res http.ResponseWriter, write func(ctx context.Context, w io.Writer) error) error {
	ctx, cancel := context.WithTimeout(r.Context(), maxDownload)
	defer cancel()
	w := &deadlineWriter{res: res, controller: http.NewResponseController(res), end: time.Now().Add(maxDownload)}
	// These replace the deadlines of the server. That for reading would end the request.
	SetReadDeadline(res, r.Body, w.end)
	_ = w.controller.SetWriteDeadline(w.end) // test recorders have no deadlines
	if d.Spool != nil {
		file := d.Spool.File()
		defer func() { _ = file.Close() }() // nothing is lost
		if err := write(ctx, file); err != nil {
			if file.Err() != nil {
				return ErrNoSpool.Because(file.Err())
			}
			return err
		}
		res.Header().Set("Content-Length", strconv.FormatInt(file.Size(), 10))
		write = func(_ context.Context, w io.Writer) error {
			_, err := file.WriteTo(w)
			return err
		}
	}
	h := res.Header()
	h.Set("Content-Type", d.Type)
	h.Set("Content-Disposition", `attachment; filename="`+d.Name+`"`)
	err := write(ctx, w)
	switch {
	case err == nil:
		return nil
	case !w.began:
		h.Del("Content-Type")
		h.Del("Content-Disposition")
		h.Del("Content-Length")
		return err
	}
	d.Log.WarnContext(ctx, "download aborted", "name", d.Name, "error", err)
	panic(http.ErrAbortHandler)
}

// deadlineWriter is an answer that extends the write deadline before each write, up to end.
type deadlineWriter struct {
	res        http.ResponseWriter
	controller *http.ResponseController
	end        time.Time
	began      bool
}

// Write writes p. It fails when the client does not read within writeTimeout, or after end.
func (w *deadlineWriter) Write(p []byte) (int, error) {
	w.began = true
	deadline := time.Now().Add(writeTimeout)
	if w.end.Before(deadline) {
		deadline = w.end
	}
	_ = w.controller.SetWriteDeadline(deadline) // test recorders have no deadlines
	return w.res.Write(p)
}
