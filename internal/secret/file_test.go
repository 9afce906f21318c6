package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/secret"
)

func TestFileOfASecretIsReadWithoutLineBreaksAtItsEnd(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if got, err := secret.ReadFile(file("good", " two words\r\n\n")); err != nil || got.Reveal() != " two words" {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	for _, path := range []string{file("none", ""), file("breaks", "\n\n")} {
		if _, err := secret.ReadFile(path); !errors.Is(err, secret.ErrEmptyFile) {
			t.Errorf("%s: got %v, want ErrEmptyFile", path, err)
		}
	}
	for path, want := range map[string]string{
		file("large", strings.Repeat("x", 64<<10+1)): "too large", folder: "not a regular file", os.DevNull: "not a regular file", folder + "/missing": "no such file",
	} {
		if _, err := secret.ReadFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}
