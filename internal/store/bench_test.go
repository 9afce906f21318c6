package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/id"
	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/statement"
	"casbroker/internal/testkit/services"
)

const (
	savers    = 32 // concurrent users
	turnSaves = 20 // saves of each user in a turn
)

// BenchmarkSave compares SavePortfolio with a plain implementation, a transaction for each
// statement and an INSERT for each table, in turns. Both write the same sealed values.
func BenchmarkSave(b *testing.B) {
	sample := newSample(b)
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(b.TempDir(), "broker.db") },
		"postgres": func() string { return services.Postgres(b) },
	} {
		b.Run(name, func(b *testing.B) {
			ours, plain := openNew(b, url()), openNew(b, url())
			var took, plainTook time.Duration
			for b.Loop() {
				plainTook += sample.turn(b, func(ctx context.Context, save portfolio.SaveRequest) error { return savePlainly(ctx, plain, save) })
				took += sample.turn(b, func(ctx context.Context, save portfolio.SaveRequest) error {
					_, err := ours.SavePortfolio(ctx, save)
					return err
				})
			}
			saves := float64(b.N * savers * turnSaves)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(saves/took.Seconds(), "saves/s")
			b.ReportMetric(saves/plainTook.Seconds(), "plain-saves/s")
			b.ReportMetric(plainTook.Seconds()/took.Seconds(), "times")
		})
	}
}

// savePlainly is the plain implementation.
func savePlainly(ctx context.Context, s *DB, save portfolio.SaveRequest) error {
	row, err := s.seal(save)
	if err != nil {
		return err
	}
	row.Owner, row.Active = 1, true
	h, err := s.chains.acquire(ctx)
	if err != nil {
		return err
	}
	defer h.release()
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, t := range portfolioTables {
		if _, err := tx.ExecContext(ctx, t.insertInto(1), t.values(row)...); err != nil {
			return err
		}
	}
	if err := s.record(h.attach(ctx), tx, save.Record); err != nil {
		return err
	}
	return h.commit(ctx, tx)
}

// openNew opens and migrates the database at url.
func openNew(b testing.TB, url string) *DB {
	b.Helper()
	box, err := secret.NewBox(secret.RandomKey(), secret.Key{ID: "k1", Secret: secret.RandomKey()})
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(Options{URL: secret.URL(url), Box: box})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if _, err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// sample is a statement of 50 KB: 30 holdings and some 100 transactions.
type sample struct {
	payload []byte
	*statement.Statement
}

func newSample(b testing.TB) sample {
	b.Helper()
	var p bytes.Buffer
	p.WriteString(`{"meta":{"cas_type":"CAMS_KFINTECH","statement_period":{"from":"2025-04-01","to":"2026-03-31"}},
		"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},"mutual_funds":[`)
	for i := range 30 {
		if i > 0 {
			p.WriteByte(',')
		}
		fmt.Fprintf(&p, `{"folio_number":"10000%d/21","amc":"Sample Asset Management","registrar":"CAMS","value":%d.25,"schemes":[
			{"name":"Sample Flexi Cap Fund %d - Direct Plan - Growth","type":"Equity","units":%d.123,"nav":101.2345,"value":%d.25,
			"cost":%d,"gain":{"absolute":%d.25,"percentage":3.5},"nominees":["Ravi Example"],"transactions":[`, i, 5000+i, i, 40+i, 5000+i, 4000, 1000+i)
		for j := range 3 + i%2 - i/30 {
			if j > 0 {
				p.WriteByte(',')
			}
			fmt.Fprintf(&p, `{"date":"2025-%02d-05","type":"PURCHASE_SIP","description":"Systematic Investment Purchase - Instalment %d/120 - %s",
				"units":%d.123,"nav":%d.4321,"amount":1000.00,"balance":%d.123,"dividend_rate":null,
				"additional_info":{"reference":"%s","channel":"Online","mandate":"Registered with the investor's bank"}}`,
				j+4, j, rand.Text(), 9+j, 100+i, 9*(j+1), rand.Text())
		}
		p.WriteString(`]}]}`)
	}
	p.WriteString(`]}`)
	st, err := statement.Parse(p.Bytes(), time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d bytes, %d holdings, %d transactions", p.Len(), len(st.Holdings), len(st.Transactions))
	return sample{p.Bytes(), st}
}

// turn lets savers save the sample concurrently, each time for another user, and returns
// how long that took.
func (s sample) turn(b *testing.B, save func(ctx context.Context, save portfolio.SaveRequest) error) time.Duration {
	start := time.Now()
	var all sync.WaitGroup
	for range savers {
		all.Go(func() {
			for range turnSaves {
				if err := save(b.Context(), s.saving(b.Context())); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

func (s sample) saving(ctx context.Context) portfolio.SaveRequest {
	subject, at := "app:"+rand.Text(), time.Now()
	p := portfolio.Portfolio{ID: id.New("pf"), Subject: subject, Provenance: portfolio.Reported, SavedAt: at, Summary: s.Summary}
	return portfolio.SaveRequest{
		Portfolio: p, Statement: *s.Statement, Payload: s.payload,
		Record: audit.New(ctx, at, subject, audit.PortfolioSave, subject, p.ID),
		Render: func(p portfolio.Portfolio, _ bool) ([]byte, error) { return []byte(p.ID), nil },
	}
}
