package outage

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/testkit/services"
)

// How many tests run at a time. They mostly wait; the long versions also measure.
const atOnce, longAtOnce = "6", "2"

// figures are what report was called with.
var figures struct {
	mu    sync.Mutex
	lines []string
}

// chaos is whether make chaos runs the tests. The brokers do not get its variable, since they refuse
// unknown settings.
var chaos = os.Getenv("CASBROKER_CHAOS") != ""

func TestMain(m *testing.M) {
	if code, ran := services.RunInNamespace(); ran {
		os.Exit(code)
	}
	_ = os.Unsetenv("CASBROKER_CHAOS")
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !long() && os.Getenv("CI") != "true" && !given["test.run"] {
		_, _ = fmt.Fprintln(os.Stdout, "SKIPPED: the tests of outages take longer than others; make chaos runs them, and make test with CI=true")
		os.Exit(0)
	}
	if !given["test.parallel"] {
		_ = flag.Set("test.parallel", either(atOnce, longAtOnce))
	}
	code := m.Run()
	if long() {
		_, _ = fmt.Fprintf(os.Stdout, "\nSummary of %d tests:\n%s\n", len(figures.lines), strings.Join(slices.Sorted(slices.Values(figures.lines)), "\n"))
	}
	os.Exit(code)
}

// report logs what a test has measured, also at the end of make chaos.
func report(t *testing.T, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	t.Log(text)
	figures.mu.Lock()
	defer figures.mu.Unlock()
	figures.lines = append(figures.lines, "  "+t.Name()+": "+text)
}

// TestEachRowOfTheTableHasATest finds the functions that README.md names: those of this package, and
// with its name before a dot those of another.
func TestEachRowOfTheTableHasATest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	name := regexp.MustCompile("`(?:([a-z]+)[.])?(Test[A-Za-z0-9]+)`")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "|\n "), " | ")
		if !strings.HasPrefix(line, "|") || len(cells) != 4 || strings.HasPrefix(cells[0], "when") || cells[0] == "---" {
			continue
		}
		rows++
		tests := name.FindAllStringSubmatch(cells[3], -1)
		if len(tests) == 0 {
			t.Errorf("no test in the row %s", line)
		}
		for _, test := range tests {
			if !isTest(t, filepath.Join("..", test[1]), test[2], test[1] == "") {
				t.Errorf("%s is not a test", test[0])
			}
		}
	}
	if rows < 10 {
		t.Errorf("got %d rows, want the table", rows)
	}
}

// isTest reports whether a file of the package in folder, or with here of this one, has the test.
func isTest(t *testing.T, folder, test string, here bool) bool {
	t.Helper()
	if here {
		folder = "."
	}
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file) //nolint:gosec // of this module
		return err == nil && strings.Contains(string(text), "\nfunc "+test+"(t *testing.T)")
	})
}
