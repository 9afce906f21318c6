package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts the file at from in the place of the SQLite database at path, which no process
// may have open, and returns where the one before is now, "" if there was none: at path with the
// suffix, or with a number after that if there is such a file.
func Replace(from, path, suffix string) (before string, err error) {
	if _, err := os.Stat(path); err == nil {
		if before, err = keepBefore(os.Link, path, suffix); err != nil {
			return "", fmt.Errorf("keep the database before: %w", err)
		}
	}
	err = putInPlace(from, path)
	if err == nil || before == "" {
		return before, err
	}
	if undo := os.Rename(before, path); undo != nil {
		return before, errors.Join(err, undo)
	}
	_ = os.Remove(before) // a rename to another hard link of the file has left it
	return "", err
}

func putInPlace(from, path string) error {
	for _, rest := range []string{"-wal", "-shm"} { // they are of the database before
		if err := os.Remove(path + rest); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(from, path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}

// keepBefore gives the file at path a second name. Where the file system has no hard links, it renames it.
func keepBefore(link func(from, to string) error, path, suffix string) (before string, err error) {
	for n := 1; ; n++ {
		before = path + suffix
		if n > 1 {
			before += fmt.Sprintf("-%d", n)
		}
		if err = link(path, before); err != nil && !errors.Is(err, fs.ErrExist) {
			err = MoveNew(path, before)
		}
		if !errors.Is(err, fs.ErrExist) {
			return before, err
		}
	}
}

// MoveNew renames the file at from, in the same file system, to the new name to. Unlike a rename, it
// replaces no file, and unlike a hard link it works on all file systems.
func MoveNew(from, to string) error {
	if err := createEmpty(to); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return syncPath(filepath.Dir(to))
}

// syncPath returns once the file or folder at path is on the disk.
func syncPath(path string) error {
	file, err := os.Open(path) //nolint:gosec // as above
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
