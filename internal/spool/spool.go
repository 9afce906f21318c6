// Package spool holds files that are complete before they are sent, so that a caller who
// reads slowly holds nothing but the file: the first bytes in memory, the rest on disk,
// encrypted with a key that only the process knows, in a file without a name.
package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// ErrFull is returned by writes once the files of a Dir have its maximum size together.
var ErrFull = errors.New("the files that are being sent have their maximum size together")

// chunk is how many bytes are encrypted at a time. As many are held in memory for each file.
const chunk = 64 << 10

// Dir is where files are written. It is safe for concurrent use.
type Dir struct {
	path string
	most int64 // bytes on disk
	used atomic.Int64
	open func() (*os.File, error)
}

// New returns a Dir in the folder path whose files have most bytes on disk together.
func New(path string, most int64) *Dir {
	d := &Dir{path: path, most: most}
	d.open = d.create
	return d
}

// Used returns the size of the files on disk, in bytes.
func (d *Dir) Used() int64 { return d.used.Load() }

// Check returns an error if no file can be written.
func (d *Dir) Check() error {
	f, err := d.open()
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 1))
	return errors.Join(err, f.Close())
}

// create returns a file that only this process can open, and that is gone once it is closed.
func (d *Dir) create() (*os.File, error) {
	f, err := os.CreateTemp(d.path, "casbroker-*.tmp") // with the mode 0600
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// File returns a new and empty file. The caller must call Close.
func (d *Dir) File() *File { return &File{dir: d} }

// File is written as a whole and then sent. It is not safe for concurrent use.
type File struct {
	dir    *Dir
	last   []byte   // what is not on disk
	sealed []byte   // a chunk, encrypted
	disk   *os.File // nil until there are more bytes than a chunk
	cipher cipher.AEAD
	chunks uint64 // on disk
	err    error
}

// Size returns how many bytes were written.
func (f *File) Size() int64 { return int64(f.chunks)*chunk + int64(len(f.last)) } //nolint:gosec // far from overflowing

// Err returns why a write failed, nil if none did.
func (f *File) Err() error { return f.err }

// Write adds p to the file. It returns ErrFull, or an error of the disk.
func (f *File) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 && f.err == nil {
		if len(f.last) == chunk {
			f.err = f.store()
			continue
		}
		if f.last == nil {
			f.last = make([]byte, 0, chunk)
		}
		n := min(len(p), chunk-len(f.last))
		f.last = append(f.last, p[:n]...)
		p, written = p[n:], written+n
	}
	return written, f.err
}

// store writes f.last, which is a whole chunk, to the disk.
func (f *File) store() error {
	if f.disk == nil {
		if err := f.begin(); err != nil {
			return err
		}
	}
	size := int64(chunk + f.cipher.Overhead())
	if f.dir.used.Add(size) > f.dir.most {
		f.dir.used.Add(-size)
		return ErrFull
	}
	f.sealed = f.cipher.Seal(f.sealed[:0], nonce(f.chunks), f.last, nil)
	f.chunks++ // its size is counted, even if only a part is written
	f.last = f.last[:0]
	if _, err := f.disk.Write(f.sealed); err != nil {
		return fmt.Errorf("write a file that is being sent: %w", err)
	}
	return nil
}

// begin creates the file on disk and its key.
func (f *File) begin() error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if f.cipher, err = cipher.NewGCM(block); err != nil {
		return err
	}
	f.disk, err = f.dir.open()
	return err
}

// nonce returns the nonce of chunk n. The key is that of one file.
func nonce(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), n) }

// WriteTo writes the whole file to w.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.err != nil {
		return 0, f.err
	}
	var sent int64
	if f.chunks > 0 {
		sealed := f.sealed // has the size of a chunk
		for i := range f.chunks {
			if _, err := f.disk.ReadAt(sealed, int64(i)*int64(len(sealed))); err != nil {
				return sent, fmt.Errorf("read a file that is being sent: %w", err)
			}
			text, err := f.cipher.Open(sealed[:0], nonce(i), sealed, nil)
			if err != nil {
				return sent, fmt.Errorf("read a file that is being sent: %w", err)
			}
			n, err := w.Write(text)
			sent += int64(n)
			if err != nil {
				return sent, err
			}
		}
	}
	n, err := w.Write(f.last)
	return sent + int64(n), err
}

// Close deletes the file.
func (f *File) Close() error {
	if f.disk == nil {
		return nil
	}
	if f.chunks > 0 {
		f.dir.used.Add(-int64(f.chunks) * int64(chunk+f.cipher.Overhead())) //nolint:gosec // far from overflowing
	}
	f.last, f.sealed, f.chunks, f.err = nil, nil, 0, os.ErrClosed
	err := f.disk.Close()
	f.disk = nil
	return err
}
