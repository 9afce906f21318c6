package admin

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// refusals are declarations of faults of the kinds that are recorded.
var refusals = regexp.MustCompile(`fault\.New\(fault\.(?:Unauthenticated|Forbidden|Limited|Exhausted), ("[a-z_]+"|[A-Za-z]+)`)

var reasons = regexp.MustCompile(`WithReason\("([a-z_]+)"\)`)

func TestEachRefusalHasAdvice(t *testing.T) {
	t.Parallel()
	codes, checks := 0, 0
	err := filepath.WalkDir("..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "sandbox") {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // our own code
		if err != nil {
			return err
		}
		for _, m := range refusals.FindAllStringSubmatch(string(text), -1) {
			code, quoted := strings.CutPrefix(m[1], `"`)
			if !quoted { // the constant of package session
				code = "wrong_key"
			}
			codes++
			if code = strings.TrimSuffix(code, `"`); adviceByCode[code].why == "" || adviceByCode[code].remedy == "" {
				t.Errorf("%s: no advice for %s", path, code)
			}
		}
		for _, m := range reasons.FindAllStringSubmatch(string(text), -1) {
			checks++
			if adviceByReason["invalid_token:"+m[1]].why == "" && adviceByReason["rate_limited:"+m[1]].why == "" {
				t.Errorf("%s: no advice for the reason %s", path, m[1])
			}
		}
		return nil
	})
	if err != nil || codes < 30 || checks < 10 {
		t.Errorf("found %d refusals and %d reasons (%v), want more", codes, checks, err)
	}
}
