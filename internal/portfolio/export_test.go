package portfolio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
)

// exported has the members of an exported portfolio that tests check.
type exported struct {
	ID           string `json:"id"`
	StoredRows   int    `json:"stored_rows"`
	Holdings     []row  `json:"holdings"`
	Transactions []struct {
		ID        string  `json:"id"`
		HoldingID string  `json:"holding_id"`
		Amount    *string `json:"amount"`
	} `json:"transactions"`
	Payload json.RawMessage `json:"payload"`
}

// export returns the portfolios of user as exported from reader.
func export(t *testing.T, reader portfolio.Reader, user string) ([]exported, error) {
	t.Helper()
	var b bytes.Buffer
	service := &portfolio.Service{Reader: reader}
	if err := service.Export(t.Context(), jsontext.NewEncoder(&b, jsontext.PreserveRawStrings(true)), "demo:"+user); err != nil {
		return nil, err
	}
	var list []exported
	if err := json.Unmarshal(b.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	return list, nil
}

// withTransactions returns a payload whose only scheme has n transactions.
func withTransactions(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[{"folio_number":"123/45","amc":"Sample AMC","schemes":[{
		"name":"Fund \u003cb\u003e","units":"1.50","value":10,"transactions":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"date":"2026-01-15","type":"PURCHASE","units":1,"nav":10,"amount":%d,"balance":%d}`, i, i+1)
	}
	b.WriteString(`]}]}]}`)
	return b.Bytes()
}

func TestExportHasEveryPortfolioWithItsExactPayload(t *testing.T) {
	t.Parallel()
	b := start(t)
	payloads := map[string][]byte{}
	for i := range 45 { // more than one page
		payload := fmt.Appendf(nil, `{"meta":{"cas_type":"NSDL"},"nps":[{"pran":"990000000001","funds":[{"name":"Fund \u0041 %d","units":1.50}]}]}`, i)
		payloads[b.save("asha", payload).want(t, 201).ID] = payload
	}
	b.save("ravi", withTransactions(1)).want(t, 201)
	list, err := export(t, b.db, "asha")
	if err != nil || len(list) != len(payloads) {
		t.Fatalf("%d of %d, %v", len(list), len(payloads), err)
	}
	for _, p := range list {
		if len(p.Holdings) != 1 || p.Holdings[0].Account == nil || !bytes.Equal(p.Payload, payloads[p.ID]) {
			t.Errorf("%s: %+v, payload %s", p.ID, p.Holdings, p.Payload)
		}
		delete(payloads, p.ID)
	}
}

func TestExportHasEveryTransactionInOrder(t *testing.T) {
	t.Parallel()
	b := start(t)
	const n = 2000 // an exact number of pages
	id := b.save("asha", withTransactions(n)).want(t, 201).ID
	list, err := export(t, b.db, "asha")
	if err != nil || len(list) != 1 || len(list[0].Transactions) != n {
		t.Fatalf("%d portfolios, %v", len(list), err)
	}
	for i, one := range list[0].Transactions {
		if one.ID != portfolio.TransactionID(id, i) || one.HoldingID != portfolio.HoldingID(id, 0) || *one.Amount != fmt.Sprintf("%d.00", i) {
			t.Fatalf("number %d is %+v", i, one)
		}
	}
}

// deletingReader deletes each portfolio before or after it is copied.
type deletingReader struct {
	portfolio.Reader
	*broker
	before bool
}

func (v deletingReader) Copy(ctx context.Context, subject, id string) (portfolio.Copy, error) {
	remove := func() error {
		return v.db.DeletePortfolio(ctx, subject, id, audit.New(ctx, begin, subject, audit.PortfolioDelete, subject, id))
	}
	if v.before {
		if err := remove(); err != nil {
			return portfolio.Copy{}, err
		}
		return v.Reader.Copy(ctx, subject, id)
	}
	c, err := v.Reader.Copy(ctx, subject, id)
	return c, errors.Join(err, remove())
}

func TestPortfolioDeletedDuringAnExportIsCompleteOrLeftOut(t *testing.T) {
	t.Parallel()
	b := start(t)
	for before, want := range map[bool]int{true: 0, false: 1} {
		b.save("asha", withTransactions(1500)).want(t, 201)
		list, err := export(t, deletingReader{b.db, b, before}, "asha")
		if err != nil || len(list) != want {
			t.Fatalf("before it is copied: %t: got %d portfolios, %v", before, len(list), err)
		}
		if want == 1 && (len(list[0].Holdings) != 1 || len(list[0].Transactions) != 1500 || list[0].Payload == nil) {
			t.Errorf("got %d holdings, %d transactions", len(list[0].Holdings), len(list[0].Transactions))
		}
	}
}
