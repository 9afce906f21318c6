package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"casbroker/internal/app"
	"casbroker/internal/secret"
)

// maxKeyFile limits a file with an admin key, in bytes: three times the longest key.
const maxKeyFile = 256

// keyForm matches every admin key.
var keyForm = regexp.MustCompile(`^cbk_[A-Za-z0-9_-]{1,252}$`)

// byteOrderMarks are those of UTF-8 and of UTF-16 in both byte orders.
var byteOrderMarks = [][]byte{{0xEF, 0xBB, 0xBF}, {0xFF, 0xFE}, {0xFE, 0xFF}}

// Errors about the admin key. None repeats the input.
var (
	errNoKey   = usageError{errors.New("no admin key: use --key-file, or set " + keyFileVariable + " or " + keyVariable + "; to make one, run broker admin-key and add its hash to admin.keys")}
	errTwoKeys = usageError{errors.New("set " + keyFileVariable + " or " + keyVariable + ", not both")}
	errKey     = usageError{errors.New("the admin key is malformed: want one line that begins with cbk_ and has only letters, digits, - and _")}
	errMark    = usageError{errors.New("read the admin key: the file begins with a byte order mark, as written in UTF-16 and by some editors; save it as plain text (UTF-8 without a mark)")}
	errUTF16   = usageError{errors.New("read the admin key: the file has zero bytes, as in UTF-16; save it as plain text (UTF-8)")}
	errLongKey = usageError{fmt.Errorf("read the admin key: the file is longer than %d bytes; want a file with only the key", maxKeyFile)}
)

// key reads the admin key from the file of the flag, else from the environment.
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
		t.warnIfExposed(path, "your key")
	case text == "":
		return "", errNoKey
	}
	text = strings.TrimSpace(text)
	if !keyForm.MatchString(text) {
		return "", errKey
	}
	return secret.Text(text), nil
}

// warnIfExposed warns of a file that others can read. has is what is in it.
func (t *Terminal) warnIfExposed(path, has string) {
	if f, ok := app.Exposed(path, has); ok {
		t.message("warning: " + f.String())
	}
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
