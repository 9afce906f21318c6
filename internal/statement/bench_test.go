package statement

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/shopspring/decimal"
)

// vendorStatement is what one would write to decode a statement with encoding/json.
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

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{50 << 10, 1 << 20, 5 << 20} {
		payload := sized(size)
		b.Run(fmt.Sprint(size>>10, "KB"), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(payload, today); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint(size>>10, "KB encoding/json"), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				var s vendorStatement
				if err := json.Unmarshal(payload, &s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// sized is a statement of about size bytes.
func sized(size int) []byte {
	text, _ := os.ReadFile("../sandbox/statements/cams.json")
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return nil
	}
	text = b.Bytes()
	begin := bytes.Index(text, []byte(`"mutual_funds":[`)) + len(`"mutual_funds":[`)
	var s struct {
		MutualFunds []json.RawMessage `json:"mutual_funds"`
	}
	_ = json.Unmarshal(text, &s)
	out := bytes.Clone(text[:begin])
	for i := 0; len(out) < size; i++ {
		out = append(append(out, s.MutualFunds[i%len(s.MutualFunds)]...), ',')
	}
	return append(out, text[begin:]...)
}
