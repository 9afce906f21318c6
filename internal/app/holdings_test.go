package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
)

// trueTotals are what the personas of the sandbox own after statements of these sources: the
// sum over their accounts, each with the values of the statement with the latest period, and
// without folios of units that are in a demat account, too. Names are of people that the
// statements have accounts of.
var trueTotals = []struct{ who, sources, total, names string }{
	{"asha", "cdsl cams", "4935575.02", "Asha Verma"},
	{"asha", "nsdl cams", "4973859.58", "Asha Verma"},
	{"asha", "cdsl kfintech", "4971794.04", "Asha Verma"},
	{"asha", "cdsl nsdl cams kfintech", "4981342.50", "Asha Verma"},
	{"rohan", "nsdl kfintech", "4521875.69", "Rohan Iyer, Leela Iyer"},
	{"rohan", "cams kfintech", "1487648.33", "Rohan Iyer, Leela Iyer"},
	{"meera", "cdsl cams", "2230047.67", "Meera Nair"},
	{"meera", "cdsl nsdl", "2050799.40", "Meera Nair"},
}

func TestTwoStatementsOfOnePersonShowOneTrueTotal(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		b := start(t, settings)
		for _, c := range trueTotals {
			sources := strings.Fields(c.sources)
			for range 2 { // in this order and in the other
				user := c.who + "-" + strings.Join(sources, "-")
				for _, source := range sources {
					b.upload(t, user, c.who+"-"+source, "ABCDE1234F").must(t, 201)
				}
				var owned struct {
					Total    string `json:"total_value"`
					Complete bool   `json:"complete"`
					Owners   []struct {
						Name string `json:"name"`
					} `json:"owners"`
				}
				b.call(t, user, http.MethodGet, "/v1/holdings", "").must(t, 200).decode(t, &owned)
				var names []string
				for _, o := range owned.Owners {
					names = append(names, o.Name)
				}
				slices.Sort(names)
				want := strings.Split(c.names, ", ")
				slices.Sort(want)
				if owned.Total != c.total || !owned.Complete || !slices.Equal(names, want) {
					t.Errorf("%s: got %s of %q, complete %t; want %s of %q", user, owned.Total, names, owned.Complete, c.total, want)
				}
				slices.Reverse(sources)
			}
		}
	})
}
