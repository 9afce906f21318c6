package telemetry

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"casbroker/internal/secret"
)

func TestScrubHidesByPattern(t *testing.T) {
	t.Parallel()
	s := newScrubber([]secret.Text{"literal-secret", "literal-secret-longer", "short"})
	for _, c := range []struct{ name, in, want string }{
		{"nothing in nothing", "", ""},
		{"a PAN", "PAN ABCDE1234F.", "PAN [pan]."},
		{"a PAN in small letters", "abcde1234f", "[pan]"},
		{"a PAN in a file's name", "CAS_ABCDE1234F_2024.pdf", "CAS_[pan]_2024.pdf"},
		{"no PAN within a longer word", "XABCDE1234F ABCDE1234FX", "XABCDE1234F ABCDE1234FX"},
		{"an access token to its end", "key=at_abc.DEF-123~/+=, next", "key=[access token], next"},
		{"no column's name", "at_ms and created_at_ms", "at_ms and created_at_ms"},
		{"an admin key to its end", `{"key":"cbk_asha-2_AbCdEf-12_xyz"}, next`, `{"key":"[admin key]"}, next`},
		{"a service key to its end", "Bearer cbs_payroll_AbCdEf-12_xyz, next", "Bearer [service key], next"},
		{"the token of a link in a path", "GET /connect/cbl_AbCdEf-12_xyz/x", "GET /connect/[link]/x"},
		{"the secret of a session", "Bearer cbls_AbCdEf-12_xyz, next", "Bearer [link], next"},
		{"an admin key cut short", "cbk_asha_AbC.", "[admin key]."},
		{"no word that begins like an admin key", "cbk_name", "cbk_name"},
		{"an escaped token", `"\nat_abcdefghij\u003cat_abcdefghij" %3Dat_abcdefghij`,
			`"\n[access token]\u003c[access token]" %3D[access token]`},
		{"a JWT", "Bearer eyJhbGciOiJ9.eyJzdWI.c2ln", "Bearer [jwt]"},
		{"a JWT cut short", "Bearer eyJhbGciOiJIUz", "Bearer [jwt]"},
		{"no word that begins like a JWT", "eyJack", "eyJack"},
		{"a registered secret inside a word", "xliteral-secretz", "x[secret]z"},
		{"the longer of two secrets", "literal-secret-longer", "[secret]"},
		{"no secret too short to tell", "a short one", "a short one"},
		{"a demat account of CDSL", "1208160099999999", "[number]"},
		{"a demat account of NSDL", "IN30099912345678", "[number]"},
		{"a phone number", "+919999900000 9999900000", "+[number] [number]"},
		{"no unix time", "1743499800 1743499800000 20250401093000", "1743499800 1743499800000 20250401093000"},
		{"no short number", "port 65535, 123456789 bytes", "port 65535, 123456789 bytes"},
		{"no number of 17 digits", "12345678901234567", "12345678901234567"},
		{"the name in an address", "mail to asha.rao+cas@example.co.in.", "mail to ***@example.co.in."},
		{"no module's version", "echo@v4.16.0/echo.go:12 @cas-parser/connect", "echo@v4.16.0/echo.go:12 @cas-parser/connect"},
		{"who a URL logs in as", "redis://user:pa$s@localhost:6379/0", "redis://***@localhost:6379/0"},
		{"one after another", "ABCDE1234F at_abcdefgh asha@example.com", "[pan] [access token] ***@example.com"},
	} {
		if got := s.text(c.in); got != c.want {
			t.Errorf("%s: %q: got %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func TestScrubDoesNotAllocateForCleanText(t *testing.T) {
	s := newScrubber([]secret.Text{"literal-secret"})
	const clean = "POST /v1/token 200 in 1.2 ms for demo:asha from 203.0.113.7, grant gr_01jqrk3v5e8w9xg2y4z6a7b8c9"
	if n := testing.AllocsPerRun(100, func() { s.text(clean) }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

// The reference implements the scanner with regular expressions that are tried at every
// index: slow, and easy to read.
var (
	referenceWords = []struct {
		form        *regexp.Regexp
		placeholder string
	}{
		{regexp.MustCompile(`^eyJ[\w-]{8,}[\w.-]*`), placeholderJWT},
		{regexp.MustCompile(`^at_[^\x00-\x20"'` + "`" + `\\,;&<>()\[\]{}\x7f-\x{10ffff}]{8,}`), placeholderToken},
		{regexp.MustCompile(`^cbk_[\w-]{8,}`), placeholderKey},
		{regexp.MustCompile(`^cbs_[\w-]{8,}`), placeholderService},
		{regexp.MustCompile(`^[A-Za-z]{5}[0-9]{4}[A-Za-z](?:[^A-Za-z0-9]|$)`), placeholderPAN},
		{regexp.MustCompile(`^(?:[02-9]\d{9}|\d{11}|\d{12}|[02-9]\d{12}|(?:[013-9]\d|2[1-9])\d{12}|\d{15}|\d{16}|(?:IN|in)\d{14})` +
			`(?:[^A-Za-z0-9]|$)`), placeholderNumber},
	}
	referenceStart    = regexp.MustCompile(`(?s)(?:^|[^A-Za-z0-9]|\\[^u]|\\u.{4}|%.{2})$`)
	referenceUserinfo = regexp.MustCompile(`://[^\x00-\x20"'` + "`" + `<>/@]*$`)
	referenceName     = regexp.MustCompile(`[A-Za-z0-9._%+-]+$`)
	referenceDomain   = regexp.MustCompile(`^@[A-Za-z0-9.-]+`)
	referenceTop      = regexp.MustCompile(`@.+\.[A-Za-z]{2,}[.-]*$`)
	referenceEdge     = regexp.MustCompile(`[^A-Za-z0-9]$`)
)

func reference(secrets []string, in string) string {
	out, done := "", 0
	for i := 0; i < len(in); i++ {
		from, to, placeholder := referenceAt(secrets, in, done, i)
		if placeholder != "" {
			out += in[done:from] + placeholder
			done, i = to, max(i, to)-1
		}
	}
	return out + in[done:]
}

func referenceAt(secrets []string, in string, done, i int) (from, to int, placeholder string) {
	for _, s := range secrets {
		if strings.HasPrefix(in[i:], s) {
			return i, i + len(s), placeholderSecret
		}
	}
	before := in[done:i]
	startsWord := referenceStart.MatchString(before)
	if i == done && i > 0 {
		startsWord = !isAlnum(in[i-1])
	}
	for _, w := range referenceWords {
		if m := w.form.FindString(in[i:]); m != "" && startsWord {
			if w.placeholder == placeholderPAN || w.placeholder == placeholderNumber {
				m = referenceEdge.ReplaceAllString(m, "")
			}
			return i, i + len(m), w.placeholder
		}
	}
	if in[i] != '@' {
		return 0, 0, ""
	}
	if m := referenceUserinfo.FindString(before); len(m) > len("://") {
		return i - len(m) + len("://"), i, placeholderName
	}
	name := referenceName.FindString(before)
	if name != "" && !referenceUserinfo.MatchString(before) && referenceTop.MatchString(referenceDomain.FindString(in[i:])) {
		return i - len(name), i, placeholderName
	}
	return 0, 0, ""
}

// pieces are joined at random, so that patterns are next to each other.
var pieces = []string{
	"ABCDE1234F", "abcde1234f", "at_", "cbk_", "abcdefgh", "eyJ", "hbGciOiJIUzI1NiJ9", ".", "-", "_", " ", "/", ":", "://", "@", "%",
	`\`, `\n`, `\u0026`, "%3D", "1234567890", "9876543210", "1743499800000", "20250401093000", "IN300999", "12345678", "1", "9",
	"A", "x", "example.com", "v4.16.0", "asha", "literal-secret", "literal", "-secret", "-longer", `"`, ",", "(", "{", "\n", "~", "+",
}

// overlappingEscapes have a pattern after an escape sequence within which another one begins.
var overlappingEscapes = []string{`%\u00269876543210`, "%%9eyJeyJ-secret", "%%1743499800000", `\u%%26%ABCDE1234F`, `\%\u0at_abcdefgh`}

func TestScrubAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	secrets := []string{"literal-secret-longer", "literal-secret"}
	s := newScrubber([]secret.Text{"literal-secret", "literal-secret-longer"})
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same strings on every run
	for _, in := range overlappingEscapes {
		if got, want := s.text(in), reference(secrets, in); got != want {
			t.Errorf("%q: got %q, want %q as the reference", in, got, want)
		}
	}
	for range 2_500 {
		var in strings.Builder
		for range 1 + random.IntN(8) {
			in.WriteString(pieces[random.IntN(len(pieces))])
		}
		if got, want := s.text(in.String()), reference(secrets, in.String()); got != want {
			t.Fatalf("%q: got %q, want %q as the reference", in.String(), got, want)
		}
	}
}

func FuzzScrubHidesRegisteredSecrets(f *testing.F) {
	f.Add("", "", "planted-secret")
	f.Add("at_abcdefgh", "asha@example.com", "ABCDE1234F")
	f.Add("redis://:", "@localhost", "pa%ss\\word")
	f.Add("x", "literal-sec", "literal-secret")
	f.Fuzz(func(t *testing.T, before, after, planted string) {
		placeholders := placeholderSecret + placeholderToken + placeholderKey + placeholderService + placeholderJWT + placeholderPAN + placeholderNumber + placeholderName
		if len(planted) < minSecret || strings.ContainsAny(planted, placeholders) {
			return // planted could be a part of a placeholder
		}
		s := newScrubber([]secret.Text{secret.Text(planted)})
		if out := s.text(before + planted + after); strings.Contains(out, planted) {
			t.Errorf("got %q, want it without %q", out, planted)
		}
	})
}

func FuzzScrubAgreesWithTheReference(f *testing.F) {
	f.Add("at_abcdefgh eyJabcdefgh ABCDE1234F 9876543210 asha@example.com redis://a:b@c")
	for _, overlapping := range overlappingEscapes {
		f.Add(overlapping)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if strings.ToValidUTF8(in, "") != in {
			return // regular expressions see runes where the scanner sees bytes
		}
		s := newScrubber([]secret.Text{"literal-secret"})
		if got, want := s.text(in), reference([]string{"literal-secret"}, in); got != want {
			t.Errorf("%q: got %q, want %q as the reference", in, got, want)
		}
	})
}

func BenchmarkScrub(b *testing.B) {
	s := newScrubber([]secret.Text{"literal-secret", "another-secret-of-ours"})
	for name, in := range map[string]string{
		"clean": strings.Repeat("the quick brown fox, demo:asha, 203.0.113.7; ", 4),
		"dirty": strings.Repeat("PAN ABCDE1234F of asha@example.com holds at_abcdefgh; ", 4),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				s.text(in)
			}
		})
	}
}

func TestScrubHidesWhatALoggerHidesInMessages(t *testing.T) {
	t.Parallel()
	const in = "unexpected argument cbk_asha_0123456789abcdef, at_0123456789abcdef or eyJhbGciOiJIUzI1NiJ9.e30.x of app:42"
	const want = "unexpected argument [admin key], [access token] or [jwt] of app:42"
	if got := Scrub(in); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
