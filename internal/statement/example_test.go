package statement_test

import (
	"errors"
	"fmt"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/statement"
)

func ExampleParse() {
	body := `{"status": "success", "data": {
		"meta": {"cas_type": "CDSL", "statement_period": {"from": "2026-03-01", "to": "2026-03-31"}},
		"summary": {"total_value": 1300},
		"demat_accounts": [{"bo_id": "1234567800000001", "holdings": {"equities": [
			{"isin": "INEZ14Q01013", "name": "Periyar Sample Bank", "units": 10, "value": "1250.50"},
			{"name": "", "units": 0}]}}]}}`
	s, err := statement.Parse([]byte(body), time.Date(2026, time.April, 15, 0, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	fmt.Println(s.CASType, s.Period.From, s.Period.To)
	for _, h := range s.Holdings {
		fmt.Println(h.Class, h.Name, statement.FormatUnits(h.Units.Decimal), statement.FormatRupees(h.Value.Decimal))
	}
	for _, r := range s.Rejected {
		fmt.Println("rejected:", r.Pointer, r.Code)
	}
	for _, w := range s.Warnings {
		fmt.Println("warning:", w.Pointer, w.Code)
	}
	// Output:
	// CDSL 2026-03-01 2026-03-31
	// equity Periyar Sample Bank 10 1250.50
	// rejected: /data/demat_accounts/0/holdings/equities/1 empty_row
	// warning: /data/summary/total_value total_mismatch
}

func ExampleParse_refused() {
	_, err := statement.Parse([]byte(`{"status": "closed"}`), time.Now())
	var f *fault.Fault
	if errors.As(err, &f) {
		fmt.Println(f.Code, f.Fields[0].Pointer, f.Fields[0].Code)
		fmt.Println(f.Detail)
	}
	// Output:
	// not_a_statement /status no_success
	// A result with the status "closed" was sent; only the result of a success can be saved.
}
