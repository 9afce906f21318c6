package link

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"casbroker/web"
)

// matches returns what the group of pattern is in files of connect.js, without repetitions.
func matches(t *testing.T, pattern string, files ...string) []string {
	t.Helper()
	return matchesIn(t, web.Connect, pattern, files...)
}

func matchesIn(t *testing.T, root fs.FS, pattern string, files ...string) []string {
	t.Helper()
	var all []string
	for _, name := range files {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestStepsAreThoseOfTheModule(t *testing.T) {
	t.Parallel()
	want := slices.DeleteFunc(matches(t, `(?m)^  (\w+): \[`, "connect/en.js"), func(code string) bool { return code == "reopened" })
	got := slices.DeleteFunc(slices.Clone(codes), func(code string) bool { return strings.HasPrefix(code, "link_") })
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got the codes %v, want %v", got, want)
	}
	events := append(matches(t, `emit\('(\w+)'`, "connect.js"), matches(t, `'(\w+_retry)'`, "connect.js", "connect/upload.js")...)
	if i := slices.IndexFunc(events, func(name string) bool { return !slices.Contains(steps, name) }); i >= 0 || len(events) < 9 {
		t.Errorf("of the events %v, the step %d is not stored", events, i)
	}
}

func TestPageActsOnCodesOfTheModule(t *testing.T) {
	t.Parallel()
	used := matchesIn(t, web.Link, `code === '(\w+)'`, "page.js")
	for _, list := range matchesIn(t, web.Link, `\[('[\w', ]+')\]\.includes\(code\)`, "page.js") {
		used = append(used, strings.Split(strings.Trim(list, "'"), "', '")...)
	}
	if i := slices.IndexFunc(used, func(code string) bool { return !slices.Contains(codes, code) }); i >= 0 || len(used) < 6 {
		t.Errorf("of the codes %v, the module has none that is number %d", used, i)
	}
}
