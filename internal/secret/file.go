package secret

import (
	"errors"
	"io"
	"os"
	"strings"
)

// maxFile is the size of the largest file with a secret, in bytes.
const maxFile = 64 << 10

// Failures of ReadFile.
var (
	ErrEmptyFile = errors.New("the file is empty")
	errLarge     = errors.New("the file is too large for a secret: it may have 64 KiB at most")
	errIrregular = errors.New("not a regular file")
)

// ReadFile returns the secret in the file at path, without line breaks at the end. It returns
// ErrEmptyFile if the file has none. It does not block on a named pipe. The error has
// nothing of the file.
func ReadFile(path string) (Text, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "", errIrregular
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch value := Text(strings.TrimRight(string(text), "\r\n")); {
	case err != nil:
		return "", err
	case len(text) > maxFile:
		return "", errLarge
	case value == "":
		return "", ErrEmptyFile
	default:
		return value, nil
	}
}
