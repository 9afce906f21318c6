package upstream

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
)

func FuzzDecodeCreditsGivesShortDecimalsAndTimesThatCanBeWritten(f *testing.F) {
	for _, seed := range []string{
		`{"used":1,"remaining":2,"limit":3,"is_unlimited":false,"resets_at":"2026-05-01T00:00:00Z","enabled_features":["a"]}`,
		`{"used":1e30,"remaining":null,"is_unlimited":true}`, `{"used":1e-31,"remaining":0}`, `{"used":-0,"remaining":0.10}`, `null`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeCredits(body)
		if err != nil {
			return
		}
		for _, number := range []string{c.Used, c.Remaining, c.Limit} {
			if len(number) > 2*maxNumberBytes || strings.ContainsAny(number, "eE") {
				t.Errorf("took the number %q", number)
			}
			if _, err := decimal.NewFromString(number); number != "" && err != nil {
				t.Errorf("took the number %q", number)
			}
		}
		if c.Used == "" || c.Unlimited != (c.Remaining == "") {
			t.Errorf("took %+v", c)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Errorf("what was taken cannot be told: %v", err)
		}
	})
}
