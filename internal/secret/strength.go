package secret

import (
	"errors"
	"math"
	"regexp"
)

// minStrength is how hard to guess a secret must look, in bits. Random bytes as hex, 32
// characters, look like 100 or more.
const minStrength = 80

// wellKnown are parts of secrets in documents and examples, which attackers try first.
var wellKnown = regexp.MustCompile(`(?i)your[-_ ]?\d*[-_ ]?bit[-_ ]?secret|a-string-secret-at-least-\d+-bits-long|change[-_ ]?(me|this)|` +
	`pass(word|phrase)?|secret|jwt|token|key|example|qwerty|letmein|admin|default|super|test`)

// ErrWeak is returned by CheckStrength.
var ErrWeak = errors.New("it is easy to guess: a word, a pattern or a text from documents; make one with openssl rand -base64 48")

// CheckStrength returns ErrWeak for a secret that looks easy to guess: of few different
// characters, with sequences, or mostly of words that are known from documents.
func CheckStrength(text Text) error {
	if strength(wellKnown.ReplaceAllString(text.Reveal(), "")) < minStrength {
		return ErrWeak
	}
	return nil
}

// strength estimates how hard to guess text is, in bits: the entropy of its bytes, without
// those that go on with the step of the bytes before, as in "aaaa" and "1234".
func strength(text string) float64 {
	counts, surprising := map[byte]int{}, 0
	for i := range len(text) {
		counts[text[i]]++
		if i < 2 || text[i]-text[i-1] != text[i-1]-text[i-2] {
			surprising++
		}
	}
	bits := 0.0
	for _, n := range counts {
		p := float64(n) / float64(len(text))
		bits -= p * math.Log2(p)
	}
	return bits * float64(surprising)
}
