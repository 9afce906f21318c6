package telemetry

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"casbroker/internal/secret"
)

// The placeholders for hidden parts of a text.
const (
	placeholderService = "[service key]"
	placeholderLink    = "[link]"
	placeholderSecret  = "[secret]"
	placeholderToken   = "[access token]"
	placeholderKey     = "[admin key]"
	placeholderJWT     = "[jwt]"
	placeholderPAN     = "[pan]"
	placeholderNumber  = "[number]"
	placeholderName    = "***" // the part before the @ of an e-mail address or URL
)

// minSecret is the length of the shortest registered secret that is searched for, in bytes.
// Hiding every "key" would garble the log and protect nothing.
const minSecret = 6

// The classes of bytes, so that one lookup finds whether a byte is of interest.
const (
	classAlnum  = 1 << iota // an ASCII letter or digit
	classFirst              // the first byte of a registered secret
	classAt                 // "@"
	classEscape             // a backslash or "%": an escape sequence may follow
)

// scrubber hides secrets and personal data in text. It scans a text once and allocates only
// if it finds something. It is safe for concurrent use.
type scrubber struct {
	class   [256]uint8
	secrets []string // longest first, so that a secret that contains another is found whole
}

func newScrubber(secrets []secret.Text) *scrubber {
	s := &scrubber{}
	for c := range s.class {
		if isAlnum(byte(c)) {
			s.class[c] = classAlnum
		}
	}
	s.class['@'] |= classAt
	s.class['\\'] |= classEscape
	s.class['%'] |= classEscape
	for _, t := range secrets {
		s.add(t.Reveal())
	}
	slices.SortFunc(s.secrets, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	s.secrets = slices.Compact(s.secrets)
	return s
}

// Scrub returns text with everything hidden that a logger hides in messages, also these
// secrets.
func Scrub(text string, secrets ...secret.Text) string { return newScrubber(secrets).text(text) }

// add registers plain and its escaped forms in URLs and quoted strings.
func (s *scrubber) add(plain string) {
	if len(plain) < minSecret {
		return
	}
	quoted := strconv.Quote(plain)
	for _, form := range []string{plain, url.QueryEscape(plain), url.PathEscape(plain), quoted[1 : len(quoted)-1]} {
		s.secrets = append(s.secrets, form)
		s.class[form[0]] |= classFirst
	}
}

// text returns in with placeholders for all findings.
func (s *scrubber) text(in string) string {
	f := s.next(in, 0)
	if f.placeholder == "" {
		return in
	}
	var out strings.Builder
	out.Grow(len(in))
	done := 0
	for f.placeholder != "" {
		out.WriteString(in[done:f.from])
		out.WriteString(f.placeholder)
		done = f.to
		f = s.next(in, done)
	}
	out.WriteString(in[done:])
	return out.String()
}

// finding is a part of a text that must be replaced by placeholder; without a placeholder
// nothing was found.
type finding struct {
	from, to    int
	placeholder string
}

// next returns the first finding at or after start. Registered secrets are found anywhere,
// patterns only at the start of a word, which includes the end of an escape sequence, as in
// `\nat_…` or "%3Dat_…".
func (s *scrubber) next(in string, start int) finding {
	inWord := start > 0 && isAlnum(in[start-1])
	ends := uint8(0) // bit n is set if an escape sequence ends before in[i+n]; they may overlap, as in `%\u0026`
	for i := start; i < len(in); i, ends = i+1, ends>>1 {
		c := s.class[in[i]]
		if c == 0 {
			inWord = false
			continue
		}
		if c&classFirst != 0 {
			if n := s.secretAt(in[i:]); n > 0 {
				return finding{i, i + n, placeholderSecret}
			}
		}
		if c&classAlnum != 0 {
			if !inWord || ends&1 != 0 {
				if n, placeholder := pattern(in[i:]); n > 0 {
					return finding{i, i + n, placeholder}
				}
			}
			inWord = true
			for i+1 < len(in) && ends&2 == 0 && s.class[in[i+1]] == classAlnum {
				i, ends = i+1, ends>>1 // only secrets and escapes matter in the rest of a word
			}
			continue
		}
		inWord = false
		if c&classEscape != 0 {
			ends |= 1 << escapeLen(in[i:])
		}
		if c&classAt != 0 {
			if from := nameBefore(in, start, i); from < i {
				return finding{from, i, placeholderName}
			}
		}
	}
	return finding{}
}

// secretAt returns the length of the registered secret at the start of in, 0 if there is none.
func (s *scrubber) secretAt(in string) int {
	for _, t := range s.secrets {
		if strings.HasPrefix(in, t) {
			return len(t)
		}
	}
	return 0
}

// escapeLen returns the length of the escape sequence at the start of in: %3D, \u003c or \n.
// It is less than 8.
func escapeLen(in string) int {
	switch {
	case in[0] == '%':
		return len("%3D")
	case len(in) > 1 && in[1] == 'u':
		return len(`\u003c`)
	default:
		return len(`\n`)
	}
}
