package gateway

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestSearchFindsWhatIndexFinds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not a secret
	letters := func(n int, of string) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = of[random.IntN(len(of))]
		}
		return b
	}
	for range 20_000 {
		needle, text := letters(1+random.IntN(6), "ab-"), letters(random.IntN(90), []string{"ab-", "ab-xxxxxxxxxxxxxxxx"}[random.IntN(2)])
		if len(text) > 0 && random.IntN(2) == 0 {
			copy(text[random.IntN(len(text)):], needle)
		}
		if got, want := newSearch(needle).index(text), bytes.Index(text, needle); got != want {
			t.Fatalf("%q in %q: got %d, want %d", needle, text, got, want)
		}
	}
}

// BenchmarkFormScan is the check of an upload of 5 MB, and the search of package bytes for
// the delimiter alone, its baseline.
func BenchmarkFormScan(b *testing.B) {
	const boundary = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not a secret
	content := make([]byte, 5<<20)
	for i := range content {
		content[i] = byte(random.IntN(256)) //nolint:gosec // less than 256
	}
	body := []byte("--" + boundary + "\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"a.pdf\"\r\n\r\n%PDF-1.4")
	body = append(append(body, content...), "\r\n--"+boundary+"--\r\n"...)
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			s, err := newFormScanner(boundary, testFields())
			if err != nil {
				b.Fatal(err)
			}
			for rest := body; len(rest) > 0; {
				n := min(64<<10, len(rest))
				if err := s.scan(rest[:n]); err != nil {
					b.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := s.end(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bytes.Index", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			bytes.Index(body[1:len(body)/2], []byte("--"+boundary))
			bytes.Index(body[len(body)/2:len(body)-20], []byte("--"+boundary))
		}
	})
}
