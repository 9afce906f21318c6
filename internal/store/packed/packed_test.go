package packed_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"
	"github.com/shopspring/decimal"

	"casbroker/internal/statement"
	"casbroker/internal/store/packed"
)

// sample returns a statement with n holdings, half of them in a demat account, and n/2
// transactions.
func sample(t testing.TB, n int) *statement.Statement {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(`{"meta":{"cas_type":"CDSL"},"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},
		"demat_accounts":[{"demat_type":"CDSL","dp_id":"12012345","client_id":"00000001","bo_id":"1201234500000001","dp_name":"Sample Securities",
		"holdings":{"equities":[`)
	for i := range n / 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"isin":"INE%03dA01012","name":"SAMPLE INDUSTRIES %d LIMITED EQUITY SHARES","units":%d,"price":%d.55,"value":%d.75}`,
			i, i, 10+i, 1000+i, 12000+i*100)
	}
	b.WriteString(`]}}],"mutual_funds":[`)
	for i := range n - n/2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"folio_number":"10000%d/21","amc":"Sample Asset Management","registrar":"CAMS","schemes":[
			{"name":"Sample Flexi Cap Fund %d - Direct Plan - Growth","type":"Equity","units":%d.123,"nav":101.2345,"value":%d.25,"cost":%d.00,
			"gain":{"absolute":%d.25},"transactions":[{"date":"2026-03-05","type":"PURCHASE_SIP","description":"Systematic Investment",
			"units":9.123,"nav":100.4321,"amount":1000.00,"balance":%d.123}]}]}`, i, i, 40+i, 5000+i, 4000, 1000+i, 40+i)
	}
	b.WriteString(`]}`)
	st, err := statement.Parse(b.Bytes(), time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// samples returns the statements of testdata and some with extreme values.
func samples(t testing.TB) map[string]*statement.Statement {
	t.Helper()
	files, err := filepath.Glob("../../statement/testdata/*.vendor.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	all := map[string]*statement.Statement{"sample": sample(t, 36)}
	for _, file := range files {
		b, err := os.ReadFile(file) //nolint:gosec // a test's own file
		if err != nil {
			t.Fatal(err)
		}
		if all[file], err = statement.Parse(b, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	var amounts []decimal.NullDecimal
	for _, text := range []string{
		"0", "1", "-1", "0.1", "999999999999999999", "-1000000000000000000", "9223372036854775807", "9223372036854775808",
		"-99999999999999999999999999999.000000000000000000000000000001", "1e127", "1e128", "1e-127", "1e-128", "1e-129", "1e300", "0e-200",
	} {
		amounts = append(amounts, decimal.NewNullDecimal(decimal.RequireFromString(text)))
	}
	extreme := &statement.Statement{Accounts: []statement.Account{{Key: "\xff\x00"}}}
	for i, a := range amounts {
		extreme.Accounts = append(extreme.Accounts, statement.Account{
			Kind: "folio", Number: "1/2", Key: "INF200/1", Institution: "Sample", Value: a, Owner: statement.Holder{Name: "A", PAN: "AAAPZ9999A"},
			Holders: []statement.Holder{{Name: "A", PAN: "AAAPZ9999A"}, {PAN: "BBBP******"}, {Name: strings.Repeat("नाम", 1000)}},
		})
		extreme.Holdings = append(extreme.Holdings, statement.Holding{
			Seq: i, Class: statement.Equity, AccountIndex: i, Account: "another", Institution: "Sample", InDemat: i%2 == 0,
			Units: a, Price: a, Value: a, Cost: a, Gain: a, SumAssured: a,
		})
		extreme.Transactions = append(extreme.Transactions, statement.Transaction{
			Seq: i, Holding: 19_000 + i/3, Date: "2026-01-01", Type: "PURCHASE", Description: "by A", Units: a, NAV: a, Amount: a, Balance: a,
		})
	}
	all["extreme values"] = extreme
	return all
}

func TestRowsAreDecodedAsTheyWere(t *testing.T) {
	t.Parallel()
	for name, st := range samples(t) {
		accounts, holdings, err := packed.ReadHoldings(packed.Holdings(st.Accounts, st.Holdings))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same(t, name+": accounts", accounts, st.Accounts)
		same(t, name+": holdings", holdings, st.Holdings)
		for _, first := range []int{0, 1, len(st.Transactions) / 2, len(st.Transactions)} {
			first = min(first, len(st.Transactions))
			list, err := transactions(packed.Transactions(st.Transactions), first)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			same(t, name+": transactions", list, st.Transactions[first:])
		}
	}
}

// same compares rows, in which PANs are not hidden and amounts have all digits.
func same[Row any](t *testing.T, what string, got, want []Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got, want := text(got[i]), text(want[i]); got != want {
			t.Errorf("%s: row %d\n got %s\nwant %s", what, i, got, want)
		}
	}
}

func text(row any) string {
	text := fmt.Sprintf("%#v", row) // amounts as coefficient and exponent, but not pointers to them
	if a, ok := row.(statement.Account); ok {
		text += a.Owner.PAN.Reveal()
		for _, h := range a.Holders {
			text += " " + h.PAN.Reveal()
		}
	}
	return text
}

func transactions(data []byte, first int) (list []statement.Transaction, err error) {
	err = packed.ReadTransactions(data, first, func(t *statement.Transaction) bool { list = append(list, *t); return true })
	return list, err
}

func TestReadingTransactionsStopsWhenAsked(t *testing.T) {
	t.Parallel()
	n := 0
	err := packed.ReadTransactions(packed.Transactions(sample(t, 36).Transactions), 3, func(x *statement.Transaction) bool {
		if x.Seq != 3+n {
			t.Errorf("got number %d, want %d", x.Seq, 3+n)
		}
		n++
		return n < 4
	})
	if n != 4 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestOtherBytesAreRefused(t *testing.T) {
	t.Parallel()
	st := sample(t, 6)
	holdings, ledger := packed.Holdings(st.Accounts, st.Holdings), packed.Transactions(st.Transactions)
	for n := range holdings {
		if _, _, err := packed.ReadHoldings(holdings[:n]); !errors.Is(err, packed.ErrFormat) {
			t.Errorf("%d of %d bytes: got %v, want ErrFormat", n, len(holdings), err)
		}
	}
	for n := range ledger {
		if _, err := transactions(ledger[:n], 0); !errors.Is(err, packed.ErrFormat) {
			t.Errorf("%d of %d bytes: got %v, want ErrFormat", n, len(ledger), err)
		}
	}
	for name, data := range map[string][]byte{
		"another kind": ledger, "another version": slices.Concat([]byte{9}, holdings[1:]), "more bytes": append(slices.Clone(holdings), 0),
		"a large count": {1, 'h', 0xff, 0xff, 0xff, 0xff, 0x0f}, "an endless number": bytes.Repeat([]byte{1, 'h', 0xff}, 10),
	} {
		if _, _, err := packed.ReadHoldings(data); !errors.Is(err, packed.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, st := range samples(f) {
		f.Add(packed.Holdings(st.Accounts, st.Holdings))
		f.Add(packed.Transactions(st.Transactions))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if accounts, holdings, err := packed.ReadHoldings(data); err == nil {
			written := packed.Holdings(accounts, holdings)
			accounts, holdings, err = packed.ReadHoldings(written)
			if err != nil || !bytes.Equal(packed.Holdings(accounts, holdings), written) {
				t.Errorf("written again: %v", err)
			}
		} else if !errors.Is(err, packed.ErrFormat) {
			t.Error(err)
		}
		list, err := transactions(data, 0)
		if err != nil {
			if !errors.Is(err, packed.ErrFormat) {
				t.Error(err)
			}
			return
		}
		written := packed.Transactions(list)
		list, err = transactions(written, 0)
		if err != nil || !bytes.Equal(packed.Transactions(list), written) {
			t.Errorf("written again: %v", err)
		}
		if _, err := transactions(data, len(list)); err != nil {
			t.Errorf("all are skipped: %v", err)
		}
	})
}

// BenchmarkDecode compares ReadHoldings with JSON, both compressed as the store does it.
func BenchmarkDecode(b *testing.B) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{36, 100} {
		st := sample(b, n)
		text, err := json.Marshal(st.Holdings)
		if err != nil {
			b.Fatal(err)
		}
		run := func(name string, data []byte, decode func([]byte) error) {
			small := z.EncodeAll(data, nil)
			b.Run(fmt.Sprintf("%s/rows=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					data, err := d.DecodeAll(small, nil)
					if err == nil {
						err = decode(data)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(data)), "bytes")
				b.ReportMetric(float64(len(small)), "compressed")
			})
		}
		run("packed", packed.Holdings(st.Accounts, st.Holdings), func(data []byte) error { _, _, err := packed.ReadHoldings(data); return err })
		run("json", text, func(data []byte) error { var list []statement.Holding; return json.Unmarshal(data, &list) })
	}
}
