package cli_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"casbroker/internal/cli"
)

// inUTF16 returns text in UTF-16, without a byte order mark.
func inUTF16(text string, order binary.AppendByteOrder) (b []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return b
}

func TestKeyFileThatOthersCanReadIsWarnedAbout(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(adminKey), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]string{0o600: "", 0o644: "broker: warning: " + file + " (your key) is open to every user of this machine (mode 0644); run: chmod 600 " + file + "\n"} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		code, _, errs := broker(t, nil, "unblock", "app:42", "--url", d.URL, "--key-file", file)
		if code != cli.ExitOK || errs != want {
			t.Errorf("%04o: got %d %q, want %q", mode, code, errs, want)
		}
	}
}

func TestMalformedKeyFileIsNotSent(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	const mark = "begins with a byte order mark"
	for name, tt := range map[string]struct {
		content []byte
		says    string
	}{
		"UTF-8 with a mark":                {[]byte("\xEF\xBB\xBF" + adminKey + "\n"), mark},
		"UTF-16 as PowerShell writes it":   {append([]byte{0xFF, 0xFE}, inUTF16(adminKey+"\r\n", binary.LittleEndian)...), mark},
		"UTF-16 with the other mark":       {append([]byte{0xFE, 0xFF}, inUTF16(adminKey, binary.BigEndian)...), mark},
		"UTF-16 without a mark":            {inUTF16(adminKey, binary.LittleEndian), "UTF-16"},
		"UTF-16 of the other order":        {inUTF16(adminKey, binary.BigEndian), "UTF-16"},
		"not UTF-8":                        {[]byte(adminKey + "\xe9"), "letters, digits"},
		"zero-width space":                 {[]byte(adminKey + "\u200b"), "letters, digits"},
		"a letter that looks the same":     {[]byte(strings.Replace(adminKey, "a", "а", 1)), "letters, digits"},
		"a zero byte":                      {[]byte(adminKey + "\x00"), "zero bytes"},
		"a long line":                      {[]byte(adminKey + strings.Repeat("x", 256)), "longer than 256 bytes"},
		"a key and a file of other things": {[]byte(adminKey + strings.Repeat("\n", 300)), "longer than 256 bytes"},
		"only the prefix":                  {[]byte("cbk_"), "letters, digits"},
	} {
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, tt.content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{file, "-"} {
			var errs bytes.Buffer
			code := cli.Run(t.Context(), []string{"block", "app:42", "--url", d.URL, "--key-file", from},
				cli.Terminal{In: bytes.NewReader(tt.content), Out: &errs, Err: &errs})
			if code != cli.ExitUsage || !strings.Contains(errs.String(), tt.says) || strings.Contains(errs.String(), "hush") {
				t.Errorf("%s: got %d %s", name, code, errs.String())
			}
		}
	}
	if len(d.requests) > 0 {
		t.Errorf("sent %q, want nothing", d.requests)
	}
	long := []string{"BROKER_URL=" + d.URL, "BROKER_KEY=cbk_" + strings.Repeat("x", 300)}
	if code, _, errs := broker(t, long, "grants"); code != cli.ExitUsage || len(d.requests) > 0 {
		t.Errorf("a long variable: %d %s", code, errs)
	}
}

func TestKeyFileMayEndWithAnyLineBreak(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	for _, end := range []string{"", "\n", "\r\n", "\r\n\r\n", " \t\n"} {
		var errs bytes.Buffer
		code := cli.Run(t.Context(), []string{"grants", "--url", d.URL, "--key-file", "-"},
			cli.Terminal{In: strings.NewReader(adminKey + end), Out: &bytes.Buffer{}, Err: &errs})
		if code != cli.ExitOK {
			t.Errorf("%q: got exit code %d, %s", end, code, errs.String())
		}
	}
}
