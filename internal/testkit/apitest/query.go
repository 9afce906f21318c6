package apitest

import "testing"

// QueryParams returns the names of the query parameters that the file describes for a path,
// such as /v1/jobs/{id}, in the order of the file. It fails the test if there is no such
// path or method.
func QueryParams(t testing.TB, method, path string) (names []string) {
	t.Helper()
	c, err := loadContract()
	if err != nil {
		t.Fatalf("the OpenAPI file is not valid: %v", err)
	}
	item := c.doc.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		t.Fatalf("web/openapi.yaml does not describe %s %s", method, path)
	}
	for _, p := range append(item.Parameters[:len(item.Parameters):len(item.Parameters)], item.GetOperation(method).Parameters...) {
		if p.Value.In == "query" {
			names = append(names, p.Value.Name)
		}
	}
	return names
}
