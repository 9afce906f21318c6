package spool

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

// noise returns n bytes that are the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestFileIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	d := New(t.TempDir(), 1<<20)
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 5*chunk + 7} {
		want := noise(size)
		f := d.File()
		if n, err := io.Copy(f, iotest.HalfReader(bytes.NewReader(want))); err != nil || n != int64(size) {
			t.Errorf("%d bytes: wrote %d, %v", size, n, err)
		}
		for range 2 { // it may be read again
			var got bytes.Buffer
			if n, err := f.WriteTo(&got); err != nil || n != f.Size() || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%d bytes: read %d, %v", size, n, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if used := d.used.Load(); used != 0 {
		t.Errorf("got %d bytes in use after all were closed, want 0", used)
	}
}

func TestFileOnDiskHasNoNameAndIsEncrypted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d := New(folder, 1<<20)
	var onDisk *os.File
	open := d.open
	d.open = func() (*os.File, error) {
		f, err := open()
		onDisk = f
		return f, err
	}
	f := d.File()
	defer func() { _ = f.Close() }()
	if _, err := f.Write(bytes.Repeat([]byte("ABCDE1234F "), 30_000)); err != nil {
		t.Fatal(err)
	}
	if names, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(names) > 0 {
		t.Errorf("got %q, %v in the folder, want nothing", names, err)
	}
	info, err := onDisk.Stat()
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() < 4*chunk {
		t.Errorf("got %v, %v, want a file of the mode 0600", info, err)
	}
	text := make([]byte, info.Size())
	if _, err := onDisk.ReadAt(text, 0); err != nil || bytes.Contains(text, []byte("ABCDE")) {
		t.Errorf("got %v; the file on disk must not have what was written", err)
	}
}

func TestChangedFileIsNotSent(t *testing.T) {
	t.Parallel()
	d := New(t.TempDir(), 1<<20)
	f := d.File()
	defer func() { _ = f.Close() }()
	if _, err := f.Write(noise(3 * chunk)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.disk.WriteAt([]byte("changed"), chunk+100); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if n, err := f.WriteTo(&got); err == nil || n != chunk {
		t.Errorf("got %d bytes, %v, want an error after the first chunk", n, err)
	}
}

func TestFilesHaveAMaximumSizeTogether(t *testing.T) {
	t.Parallel()
	d := New(t.TempDir(), 3*(chunk+16))
	first, second := d.File(), d.File()
	defer func() { _ = second.Close() }()
	if _, err := first.Write(noise(3 * chunk)); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Write(noise(2 * chunk)); err != nil {
		t.Fatal(err)
	}
	if n, err := second.Write(noise(chunk)); !errors.Is(err, ErrFull) || !errors.Is(second.Err(), ErrFull) || n != 0 {
		t.Errorf("got %d, %v, want ErrFull", n, err)
	}
	if _, err := second.WriteTo(io.Discard); !errors.Is(err, ErrFull) {
		t.Errorf("got %v from a file that is not complete, want ErrFull", err)
	}
	_ = first.Close()
	third := d.File()
	defer func() { _ = third.Close() }()
	if _, err := third.Write(noise(3 * chunk)); err != nil {
		t.Errorf("after the first was closed: got %v", err)
	}
}

func TestFullDiskIsReported(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	d := New(t.TempDir(), 1<<20)
	d.open = func() (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }
	f := d.File()
	if _, err := f.Write(noise(3 * chunk)); !errors.Is(err, syscall.ENOSPC) || !errors.Is(f.Err(), syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	_ = f.Close()
	if used := d.used.Load(); used != 0 {
		t.Errorf("got %d bytes in use, want 0", used)
	}
}

func TestFolderIsChecked(t *testing.T) {
	t.Parallel()
	if err := New(t.TempDir(), 1).Check(); err != nil {
		t.Error(err)
	}
	missing := New(filepath.Join(t.TempDir(), "missing"), 1<<20)
	if err := missing.Check(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the folder is missing", err)
	}
	f := missing.File()
	if _, err := io.Copy(f, strings.NewReader("small")); err != nil || f.Size() != 5 {
		t.Errorf("a small file needs no folder: got %v", err)
	}
	if _, err := f.Write(noise(2 * chunk)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the folder is missing", err)
	}
	_ = f.Close()
}
