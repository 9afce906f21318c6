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
	"casbroker/internal/fault"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
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

// deletingReader deletes each portfolio while it is being read.
type deletingReader struct {
	portfolio.Reader
	*broker
	atPayload bool // after its payload was read, otherwise after its first transactions
}

func (v deletingReader) remove(ctx context.Context, subject, id string) error {
	return v.db.DeletePortfolio(ctx, subject, id, audit.New(ctx, begin, subject, audit.PortfolioDelete, subject, id))
}

func (v deletingReader) Payload(ctx context.Context, subject, id string) ([]byte, error) {
	payload, err := v.Reader.Payload(ctx, subject, id)
	if v.atPayload {
		err = errors.Join(err, v.remove(ctx, subject, id))
	}
	return payload, err
}

func (v deletingReader) Transactions(ctx context.Context, subject, id string, holding, first, limit int) ([]statement.Transaction, error) {
	list, err := v.Reader.Transactions(ctx, subject, id, holding, first, limit)
	if first == 0 && err == nil {
		err = v.remove(ctx, subject, id)
	}
	return list, err
}

func TestPortfolioDeletedDuringAnExportIsLeftOutOrEndsIt(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.save("asha", withTransactions(1500)).want(t, 201)
	var f *fault.Fault
	if list, err := export(t, deletingReader{b.db, b, false}, "asha"); !errors.As(err, &f) || f.Code != "export_interrupted" {
		t.Errorf("half written: %v, %v", list, err)
	}
	b.save("asha", withTransactions(1500)).want(t, 201)
	if list, err := export(t, deletingReader{b.db, b, true}, "asha"); err != nil || len(list) != 0 {
		t.Errorf("not yet written: %v, %v", list, err)
	}
}
