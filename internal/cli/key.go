package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"casbroker/internal/secret"
)

// maxKeyFile is what a file with an admin key may have, in bytes: three times the
// longest key.
const maxKeyFile = 256

// keyForm is what every admin key looks like.
var keyForm = regexp.MustCompile(`^cbk_[A-Za-z0-9_-]{1,252}$`)

// byteOrderMarks begin texts of UTF-8, and of UTF-16 of either order.
var byteOrderMarks = [][]byte{{0xEF, 0xBB, 0xBF}, {0xFF, 0xFE}, {0xFE, 0xFF}}

// Faults of how the admin key is given. None repeats what was given.
var (
	errNoKey   = usageError{errors.New("which admin key? Give --key-file, or set " + keyFileVariable + " or " + keyVariable + "; broker admin-key makes one")}
	errTwoKeys = usageError{errors.New("set " + keyFileVariable + " or " + keyVariable + ", not both")}
	errKey     = usageError{errors.New("what was given as the admin key is none: one begins with cbk_ and is one line of letters, digits, - and _")}
	errMark    = usageError{errors.New("read the admin key: the file begins with a byte order mark, as UTF-16 and some editors have it; save it as plain text (UTF-8 without a mark)")}
	errUTF16   = usageError{errors.New("read the admin key: the file has zero bytes, as UTF-16 has them; save it as plain text (UTF-8)")}
	errLongKey = usageError{fmt.Errorf("read the admin key: the file is longer than %d bytes, so it holds more than a key, or none", maxKeyFile)}
)

// key reads the admin key from where the flag says, else where the environment does.
func (f brokerFlags) key(t *Terminal) (secret.Text, error) {
	path, text := string(f.KeyFile), ""
	if path == "" {
		path, text = t.variable(keyFileVariable), t.variable(keyVariable)
	}
	switch {
	case path != "" && text != "":
		return "", errTwoKeys
	case path != "":
		var err error
		if text, err = t.readKey(path); err != nil {
			return "", err
		}
	case text == "":
		return "", errNoKey
	}
	text = strings.TrimSpace(text)
	if !keyForm.MatchString(text) {
		return "", errKey
	}
	return secret.Text(text), nil
}

// readKey reads the file at path, or standard input for "-".
func (t *Terminal) readKey(path string) (string, error) {
	from := t.In
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // the operator names the file
		if err != nil {
			return "", usageError{fmt.Errorf("read the admin key: %w", err)}
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxKeyFile+1))
	if err != nil {
		return "", usageError{fmt.Errorf("read the admin key: %w", err)}
	}
	for _, mark := range byteOrderMarks {
		if bytes.HasPrefix(text, mark) {
			return "", errMark
		}
	}
	switch {
	case bytes.IndexByte(text, 0) >= 0:
		return "", errUTF16
	case len(text) > maxKeyFile:
		return "", errLongKey
	}
	return string(text), nil
}
