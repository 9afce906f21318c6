package telemetry

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"casbroker/internal/secret"
)

// What stands in a text for what was hidden in it.
const (
	markSecret = "[secret]"
	markToken  = "[access token]"
	markKey    = "[admin key]"
	markJWT    = "[jwt]"
	markPAN    = "[pan]"
	markNumber = "[number]"
	markName   = "***" // the part before the @ of an address or in a URL
)

// minSecret is the length under which a registered secret is not searched for:
// hiding every "key" would garble the log and guard nothing.
const minSecret = 6

// Classes of bytes, so that one look-up tells whether a byte can matter.
const (
	classAlnum  = 1 << iota // an ASCII letter or digit
	classLead               // some registered secret begins with it
	classAt                 // "@"
	classEscape             // a backslash or "%": what follows may be an escape
)

// scrubber hides secrets and personal data in text. It goes over the text once,
// and allocates only when it finds something. It is safe for concurrent use.
type scrubber struct {
	class   [256]uint8
	secrets []string // longest first, so that a secret within another does not split it
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

// Scrub returns text with everything hidden in it that a logger hides in its messages,
// but for the secrets that only LogOptions can name.
func Scrub(text string) string { return newScrubber(nil).text(text) }

// add registers plain and the forms it takes inside URLs and quoted strings.
func (s *scrubber) add(plain string) {
	if len(plain) < minSecret {
		return
	}
	quoted := strconv.Quote(plain)
	for _, form := range []string{plain, url.QueryEscape(plain), url.PathEscape(plain), quoted[1 : len(quoted)-1]} {
		s.secrets = append(s.secrets, form)
		s.class[form[0]] |= classLead
	}
}

// text returns in with everything hidden that next finds.
func (s *scrubber) text(in string) string {
	f := s.next(in, 0)
	if f.mark == "" {
		return in
	}
	var out strings.Builder
	out.Grow(len(in))
	done := 0
	for f.mark != "" {
		out.WriteString(in[done:f.from])
		out.WriteString(f.mark)
		done = f.to
		f = s.next(in, done)
	}
	out.WriteString(in[done:])
	return out.String()
}

// finding is a stretch of text to be replaced by mark; an empty mark means none.
type finding struct {
	from, to int
	mark     string
}

// next returns the first finding at or after start. A registered secret is found
// anywhere; the patterns begin where a word does, and a word also begins after an
// escape, as in `\nat_…` or "%3Dat_…".
func (s *scrubber) next(in string, start int) finding {
	inWord := start > 0 && isAlnum(in[start-1])
	escaped := -1 // where the text after the last escape begins
	for i := start; i < len(in); i++ {
		c := s.class[in[i]]
		if c == 0 {
			inWord = false
			continue
		}
		if c&classLead != 0 {
			if n := s.secretAt(in[i:]); n > 0 {
				return finding{i, i + n, markSecret}
			}
		}
		if c&classAlnum != 0 {
			if !inWord || i == escaped {
				if n, mark := pattern(in[i:]); n > 0 {
					return finding{i, i + n, mark}
				}
			}
			inWord = true
			for i+1 < len(in) && i+1 != escaped && s.class[in[i+1]] == classAlnum {
				i++ // the rest of a word needs no look but for secrets and escapes
			}
			continue
		}
		inWord = false
		if c&classEscape != 0 {
			escaped = i + escapeLen(in[i:])
		}
		if c&classAt != 0 {
			if from := nameBefore(in, start, i); from < i {
				return finding{from, i, markName}
			}
		}
	}
	return finding{}
}

func (s *scrubber) secretAt(in string) int {
	for _, t := range s.secrets {
		if strings.HasPrefix(in, t) {
			return len(t)
		}
	}
	return 0
}

// escapeLen is the length of the escape that in begins with: %3D, \u003c or \n.
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
