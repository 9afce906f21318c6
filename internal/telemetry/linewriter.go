package telemetry

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	lineDelay = 5 * time.Millisecond // how long a line of WriteLater waits for others
	lineWait  = time.Second          // how long Write waits for a writer that is stuck

	// Bytes of lines that wait for a writer that is stuck: those of WriteLater leave room
	// for those of Write.
	maxLater, maxLines = 4 << 20, 5 << 20
	// maxSpare is the largest buffer that is kept for the next lines, in bytes.
	maxSpare = 256 << 10
)

// LineWriter writes log lines, in their order: those of Write at once, those of WriteLater
// within some milliseconds, many in one write. A writer that is stuck delays no caller for
// more than a second: lines wait in memory, and those that exceed 4 MiB are lost. It is
// safe for concurrent use.
type LineWriter struct {
	to    io.Writer
	timer *time.Timer // runs write

	mu      sync.Mutex
	next    lines
	spare   []byte // for the lines after next
	writing bool   // a goroutine is in write
	stuck   bool   // Write has waited in vain for that goroutine
	lost    uint64
}

// lines are written together.
type lines struct {
	text    []byte
	written chan struct{} // closed when they are written; nil if no caller waits
}

// NewLineWriter returns a LineWriter that writes to to.
func NewLineWriter(to io.Writer) *LineWriter {
	w := &LineWriter{to: to}
	w.timer = time.AfterFunc(lineDelay, w.write)
	return w
}

// Write writes line, and all lines before it, before it returns. If the writer is stuck, Write
// returns after a second, and line is written later or counted as lost. Write returns no
// error.
func (w *LineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	w.add(line, maxLines)
	w.mu.Unlock()
	w.Flush()
	return len(line), nil
}

// WriteLater writes line within some milliseconds, or with the next line of Write.
func (w *LineWriter) WriteLater(line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := len(w.next.text) == 0
	w.add(line, maxLater)
	if first && !w.writing { // otherwise write starts the timer
		w.timer.Reset(lineDelay)
	}
}

// add adds line to the next lines unless they are more than limit bytes then.
func (w *LineWriter) add(line []byte, limit int) {
	if len(w.next.text)+len(line) > limit {
		w.lost++
		return
	}
	w.next.text = append(w.next.text, line...)
}

// Flush waits until all lines are written, but no longer than a second, and not if the writer
// is known to be stuck.
func (w *LineWriter) Flush() {
	w.mu.Lock()
	if len(w.next.text) == 0 && !w.writing || w.stuck {
		w.mu.Unlock()
		return
	}
	if w.next.written == nil {
		w.next.written = make(chan struct{})
	}
	written := w.next.written
	if !w.writing {
		go w.write()
	}
	w.mu.Unlock()
	wait := time.NewTimer(lineWait)
	defer wait.Stop()
	select {
	case <-written:
	case <-wait.C:
		w.mu.Lock()
		w.stuck = w.writing
		w.mu.Unlock()
	}
}

// Lost returns the number of lines that could not be written.
func (w *LineWriter) Lost() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// write writes lines, as long as a caller waits for more. One goroutine at a time does so.
func (w *LineWriter) write() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writing {
		return
	}
	w.writing = true
	for again := true; again; again = w.next.written != nil {
		l := w.next
		w.next = lines{text: w.spare[:0]}
		w.spare = nil
		w.mu.Unlock()
		n, err := 0, error(nil)
		if len(l.text) > 0 {
			n, err = w.to.Write(l.text)
		}
		w.mu.Lock()
		w.stuck = false
		if err != nil {
			w.lost += uint64(bytes.Count(l.text[max(n, 0):], []byte{'\n'})) //nolint:gosec // not negative
		}
		if cap(l.text) <= maxSpare {
			w.spare = l.text
		}
		if l.written != nil {
			close(l.written)
		}
	}
	w.writing = false
	if len(w.next.text) > 0 {
		w.timer.Reset(lineDelay)
	}
}
