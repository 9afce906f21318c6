package outage

import (
	"fmt"
	"strings"
)

// statement returns a statement with the given number of rows, each with a transaction.
func statement(name string, rows int) []byte {
	row := fmt.Sprintf(`{"name":%q,"units":1.5,"nav":2,"value":3,"transactions":[{"date":"2026-01-05","type":"PURCHASE","units":1.5,"balance":1.5}]}`, name)
	list := strings.Repeat(row+",", rows-1) + row
	return []byte(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[{"folio_number":"1/2","schemes":[` + list + `]}]}`)
}
