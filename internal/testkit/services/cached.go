package services

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Cached returns a folder of the user's cache that fill has filled, now or in an earlier run
// with the same key, whose parts must name all that the content depends on. Processes may
// call it at once. No one may change the folder.
func Cached(name string, key []string, fill func(folder string) error) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root = filepath.Join(root, "casbroker-tests")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.Join(key, "\x00")))
	final := filepath.Join(root, name+"-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(final); err == nil { //nolint:gosec // a folder of ours
		return final, nil
	}
	folder, err := os.MkdirTemp(root, name+"-new-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := fill(folder); err != nil {
		return "", err
	}
	if err := os.Rename(folder, final); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // as above
		return "", err // unless another process was first
	}
	return final, nil
}
