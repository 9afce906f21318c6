package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"casbroker/internal/secret"
)

// checkedFile returns a secretFiles with one file, and a function that gives the file another
// text and checks it. use gets the secrets that are put into use.
func checkedFile(t *testing.T, f *secretFile, use func(secret.Text) error) (files *secretFiles, check func(text string)) {
	t.Helper()
	f.path = filepath.Join(t.TempDir(), "secret")
	f.valid = func(secret.Text) error { return nil }
	files = &secretFiles{log: slog.New(slog.DiscardHandler), problems: map[string]string{}}
	files.add(func(values []secret.Text) error { return use(values[0]) }, f)
	return files, func(text string) {
		t.Helper()
		if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := files.check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFileThatIsBeingWrittenDoesNotEndASecret(t *testing.T) {
	t.Parallel()
	var used []secret.Text
	_, check := checkedFile(t, &secretFile{setting: "previous_hash_file", value: "one", optional: true}, func(value secret.Text) error {
		used = append(used, value)
		return nil
	})
	for _, text := range []string{"", "two", "", "three", "three", "", ""} {
		check(text)
	}
	if want := []secret.Text{"three", ""}; !slices.Equal(used, want) {
		t.Errorf("got %d secrets put into use, want the two that two checks in a row have found", len(used))
	}
}

func TestSecretsThatCannotBePutIntoUseAreReported(t *testing.T) {
	t.Parallel()
	failure := errors.New("does not go with the other secrets")
	files, check := checkedFile(t, &secretFile{setting: "secret_file", value: "one"}, func(secret.Text) error { return failure })
	for range 4 {
		check("two")
	}
	if got := files.unusable(nil); len(got) != 1 || got[0] != "secret_file: does not go with the other secrets" {
		t.Errorf("got %v, want the setting with the reason", got)
	}
	failure = nil
	check("two")
	if got := files.unusable(nil); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
}
