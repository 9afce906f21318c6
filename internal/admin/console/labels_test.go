package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is the code of a package without its tests.
type source []*ast.File

// readSource parses the package in a folder of internal.
func readSource(t *testing.T, folder string) (s source) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("../..", folder, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has %d files: %v", folder, len(paths), err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, file)
	}
	return s
}

// constants returns the string constants by name: those of the named type, or untyped ones
// if typeName is "".
func (s source) constants(typeName string) map[string]string {
	found := make(map[string]string)
	for _, file := range s {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				return true
			}
			if named, _ := spec.Type.(*ast.Ident); (named == nil) != (typeName == "") || named != nil && named.Name != typeName {
				return true
			}
			for i, name := range spec.Names {
				if text, ok := literal(spec.Values[i]); ok {
					found[name.Name] = text
				}
			}
			return true
		})
	}
	return found
}

// literal returns the value of a string literal.
func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// faultCodes returns the codes of the faults that are declared with one of kinds, or with
// any kind if there are none.
func (s source) faultCodes(t *testing.T, kinds ...string) (codes []string) {
	t.Helper()
	names := s.constants("")
	for _, file := range s {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 || !isSelector(call.Fun, "fault", "New") {
				return true
			}
			kind, ok := call.Args[0].(*ast.SelectorExpr)
			if !ok || len(kinds) > 0 && !slices.Contains(kinds, kind.Sel.Name) {
				return true
			}
			code, ok := literal(call.Args[1])
			if name, isName := call.Args[1].(*ast.Ident); isName {
				code, ok = names[name.Name], names[name.Name] != ""
			}
			if !ok {
				t.Errorf("the code of a fault in package %s is not a constant", file.Name.Name)
			}
			codes = append(codes, code)
			return true
		})
	}
	return codes
}

func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg && s.Sel.Name == name
}

// allFaultCodes returns the codes of the faults in all packages of the broker.
func allFaultCodes(t *testing.T, kinds ...string) (codes []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		folder, err := filepath.Rel("../..", path)
		if err != nil {
			return err
		}
		if folder == "sandbox" || d.Name() == "testdata" { // an emulation of the vendor, with codes of its own
			return fs.SkipDir
		}
		if files, _ := filepath.Glob(filepath.Join(path, "*.go")); len(files) > 0 {
			codes = append(codes, readSource(t, folder).faultCodes(t, kinds...)...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// compare fails the test for each source value without a label, and for each label without
// a source value. Choices that are not values, such as "", are ignored.
func compare(t *testing.T, name string, labels []choice, want []string, ignored ...string) {
	t.Helper()
	var got []string
	for _, c := range labels {
		if c.Label == "" {
			t.Errorf("%s: %q has an empty label", name, c.Value)
		}
		if slices.Contains(got, c.Value) {
			t.Errorf("%s: %q has two labels", name, c.Value)
		}
		got = append(got, c.Value)
		if !slices.Contains(want, c.Value) && !slices.Contains(ignored, c.Value) {
			t.Errorf("%s: the label of %q has no source", name, c.Value)
		}
	}
	for _, value := range want {
		if !slices.Contains(got, value) {
			t.Errorf("%s: %q has no label", name, value)
		}
	}
}

func values(m map[string]string) (list []string) {
	for _, v := range m {
		list = append(list, v)
	}
	return list
}

func TestEveryRateLimitHasALabel(t *testing.T) {
	t.Parallel()
	names := []string{"failures"}
	classes := values(readSource(t, "ratelimit").constants("Class"))
	if len(classes) == 0 {
		t.Fatal("package ratelimit has no constants of type Class")
	}
	for _, class := range classes {
		if class == "service" { // it has limits of its own
			names = append(names, "service-user", "service-total", "service-all")
			continue
		}
		names = append(names, class+"-user", class+"-address", class+"-all")
	}
	compare(t, "limits", limits, names)
}

func TestEveryRefusalHasALabel(t *testing.T) {
	t.Parallel()
	compare(t, "refusals", refusals, allFaultCodes(t, "Unauthenticated", "Forbidden", "Limited", "Exhausted"))
}

func TestEveryRewordedFaultExists(t *testing.T) {
	t.Parallel()
	codes := allFaultCodes(t)
	for code := range details {
		if !slices.Contains(codes, code) {
			t.Errorf("details: there is no fault with the code %q", code)
		}
	}
}

func TestEveryValueHasALabel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, folder, typeName string
		labels                 []choice
		ignored                []string
	}{
		{"actions", "audit", "Action", actions, []string{exceptOperatorReads, exceptReads, everything}},
		{"outcomes", "audit", "Outcome", outcomes, []string{""}},
		{"kinds", "access", "Kind", kinds, nil},
		{"states", "token", "State", states, []string{""}},
		{"deliveryStates", "webhook", "State", deliveryStates, []string{""}},
	} {
		want := values(readSource(t, c.folder).constants(c.typeName))
		if len(want) == 0 {
			t.Errorf("package %s has no constants of type %s", c.folder, c.typeName)
		}
		compare(t, c.name, c.labels, want, c.ignored...)
	}
	components := readSource(t, "admin").constants("")
	want := []string{components["OK"], components["Degraded"], components["Down"], components["Unused"]}
	compare(t, "serviceStates", serviceStates, want)
	compare(t, "dataStates", dataStates, want)
}
