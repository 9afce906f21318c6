package statement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// vendorStatement decodes a statement with encoding/json.
type vendorStatement struct {
	Meta struct {
		CASType         string `json:"cas_type"`
		StatementPeriod Period `json:"statement_period"`
	} `json:"meta"`
	Investor struct {
		Name string `json:"name"`
		PAN  string `json:"pan"`
	} `json:"investor"`
	Summary struct {
		TotalValue decimal.NullDecimal `json:"total_value"`
	} `json:"summary"`
	MutualFunds []struct {
		FolioNumber string              `json:"folio_number"`
		AMC         string              `json:"amc"`
		Value       decimal.NullDecimal `json:"value"`
		Schemes     []struct {
			ISIN  string              `json:"isin"`
			Name  string              `json:"name"`
			Type  string              `json:"type"`
			Units decimal.NullDecimal `json:"units"`
			NAV   decimal.NullDecimal `json:"nav"`
			Value decimal.NullDecimal `json:"value"`
			Cost  decimal.NullDecimal `json:"cost"`
			Gain  struct {
				Absolute decimal.NullDecimal `json:"absolute"`
			} `json:"gain"`
			AdditionalInfo struct {
				OpenUnits  decimal.NullDecimal `json:"open_units"`
				CloseUnits decimal.NullDecimal `json:"close_units"`
			} `json:"additional_info"`
			Transactions []struct {
				Date    string              `json:"date"`
				Type    string              `json:"type"`
				Units   decimal.NullDecimal `json:"units"`
				NAV     decimal.NullDecimal `json:"nav"`
				Amount  decimal.NullDecimal `json:"amount"`
				Balance decimal.NullDecimal `json:"balance"`
			} `json:"transactions"`
		} `json:"schemes"`
	} `json:"mutual_funds"`
}

// BenchmarkParse compares Parse, with all checks and the fingerprint, with encoding/json
// decoding the same bytes into structs. The two take turns.
func BenchmarkParse(b *testing.B) {
	for _, kilobytes := range []int{50, 1 << 10, 5 << 10} {
		b.Run(fmt.Sprint(kilobytes, "KB"), func(b *testing.B) {
			payload := sized(b, kilobytes<<10)
			turn := max(1, 5<<20/len(payload))
			var ours, theirs time.Duration
			for b.Loop() {
				ours += timed(b, turn, func() error {
					_, err := Parse(payload, afterSamples)
					return err
				})
				theirs += timed(b, turn, func() error {
					var s vendorStatement
					return json.Unmarshal(payload, &s)
				})
			}
			megabytes := float64(len(payload)*turn*b.N) / 1e6
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(megabytes/ours.Seconds(), "MB/s")
			b.ReportMetric(megabytes/theirs.Seconds(), "encoding/json-MB/s")
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "times")
		})
	}
}

// timed returns how long n calls of do take. It collects garbage first, so neither side
// pays for the other.
func timed(b *testing.B, n int, do func() error) time.Duration {
	runtime.GC()
	start := time.Now()
	for range n {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// sized returns a statement of about size bytes, most of them transactions.
func sized(b *testing.B, size int) []byte {
	text, err := os.ReadFile("../sandbox/statements/asha-cams.json")
	if err != nil {
		b.Fatal(err)
	}
	var compact bytes.Buffer
	var s struct {
		MutualFunds []json.RawMessage `json:"mutual_funds"`
	}
	if err := errors.Join(json.Compact(&compact, text), json.Unmarshal(text, &s)); err != nil {
		b.Fatal(err)
	}
	before, after, _ := strings.Cut(compact.String(), `"mutual_funds":[`)
	out := []byte(before + `"mutual_funds":[`)
	for i := 0; len(out)+len(after) < size; i++ {
		out = append(append(out, s.MutualFunds[i%len(s.MutualFunds)]...), ',')
	}
	return append(out, after...)
}
