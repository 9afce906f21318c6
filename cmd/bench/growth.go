package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// growthCommand is the argument that measures how cost grows.
const growthCommand = "growth"

// growthPlan is the extent of that.
type growthPlan struct {
	only       string
	users      int
	duration   time.Duration
	access     []int // grants, blocks and revocations
	portfolios int
	rate       float64
	folder     string
}

// runGrowth measures how cost grows with replicas, with what is in memory, and with what is stored. All
// parts need PostgreSQL and Redis.
func runGrowth(ctx context.Context, args []string) error {
	var p growthPlan
	var sizes string
	flags := flag.NewFlagSet(growthCommand, flag.ExitOnError)
	flags.StringVar(&p.only, "only", "", "measure only: replicas, access or rows")
	flags.IntVar(&p.users, "users", 10_000, "users of the day's traffic that replicas are measured with")
	flags.DurationVar(&p.duration, "duration", 30*time.Second, "of each measurement")
	flags.StringVar(&sizes, "access", "1000,100000,1000000", "how many grants, blocks and revocations")
	flags.IntVar(&p.portfolios, "portfolios", 1_000_000, "how many portfolios, and audit records, grants and calls, are stored when reads are measured")
	flags.Float64Var(&p.rate, "rate", 50, "reads per second")
	flags.StringVar(&p.folder, "folder", "", "where the databases are, which need 8 kB for each portfolio; deleted at the end")
	_ = flags.Parse(args) // it exits
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-access: %w", err)
		}
		p.access = append(p.access, n)
	}
	folder, err := os.MkdirTemp(p.folder, "casbroker-growth-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if brokerProgram, err = buildBroker(ctx, folder, false); err != nil {
		return err
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context, string) error
	}{{"replicas", p.measureReplicas}, {"access", p.measureAccess}, {"rows", p.measureRows}} {
		if p.only != "" && p.only != part.name {
			continue
		}
		own := filepath.Join(folder, part.name)
		if err := errors.Join(os.Chmod(folder, 0o711), os.Mkdir(own, 0o711)); err != nil { //nolint:gosec // PostgreSQL's user passes through
			return err
		}
		if err := part.measure(ctx, own); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// measureReplicas measures the greatest rate of a day's traffic with one to three brokers.
func (p *growthPlan) measureReplicas(ctx context.Context, folder string) error {
	fmt.Printf("\n%-10s %12s %28s %14s\n", "brokers", "requests/s", "processor time per request", "p99 of tokens")
	for n := 1; n <= 3; n++ {
		err := withSite(ctx, siteOptions{folder: filepath.Join(folder, strconv.Itoa(n)), store: "postgres", replicas: n}, func(s *site) error {
			m, err := newMix(ctx, s, p.users)
			if err != nil {
				return err
			}
			t := newTraffic(m, kinds, s.addresses())
			t.asFastAsPossible(ctx, 64, warmUp)
			t.reset()
			before := s.cpu()
			rate := t.asFastAsPossible(ctx, 64, p.duration)
			fmt.Printf("%-10d %12.0f %25.0f us %14s\n", n, rate, 1e6*(s.cpu()-before)/(rate*p.duration.Seconds()), short(t.percentile(cachedToken, 99)))
			if failed := t.failures(); failed > 0 {
				t.report(p.duration)
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// withSite calls use with a site in its own folder, which it then removes.
func withSite(ctx context.Context, o siteOptions, use func(*site) error) error {
	if err := os.Mkdir(o.folder, 0o711); err != nil { //nolint:gosec // PostgreSQL's user passes through
		return err
	}
	defer func() { _ = os.RemoveAll(o.folder) }()
	s, err := startSite(ctx, o)
	if err != nil {
		return err
	}
	defer s.stop()
	return use(s)
}

// accessRows are SQL statements that add n rows of each kind of what decides who has access.
var accessRows = []struct{ name, statements string }{
	{"nothing", ""},
	{"grants", `INSERT INTO grants (id, subject, mode, issued_ms, expires_ms, vendor_request_id, access_version, mark)
		SELECT 'gr_' || i, 'app:user-' || i, 'gateway', %[2]d, %[2]d + 3600000, '', 0, decode(md5(i::TEXT), 'hex') FROM generate_series(1, %[1]d) i;`},
	{"blocks", `INSERT INTO access_changes (version, kind, subject, grant_id, reason, until_ms, at_ms, actor)
		SELECT i, 'block', 'app:user-' || i, '', '', 0, %[2]d - 90000000, 'admin/load' FROM generate_series(1, %[1]d) i;
		INSERT INTO blocks (subject, version, reason, until_ms, at_ms, actor) SELECT subject, version, '', 0, at_ms, actor FROM access_changes;
		UPDATE access_state SET version = %[1]d;`},
	{"revocations", `INSERT INTO access_changes (version, kind, subject, grant_id, reason, until_ms, at_ms, actor)
		SELECT i, 'revoke_user', 'app:user-' || i, '', '', 0, %[2]d, 'admin/load' FROM generate_series(1, %[1]d) i;
		UPDATE access_state SET version = %[1]d;`},
}

// measureAccess measures the memory of a broker that was started with so many grants, blocks or
// revocations of the last minutes.
func (p *growthPlan) measureAccess(ctx context.Context, folder string) error {
	fmt.Printf("\n%-24s %12s %10s %10s %14s\n", "", "memory, MB", "heap, MB", "bytes each", "started in")
	var base figuresOf
	for i, rows := range accessRows {
		sizes := p.access
		if rows.statements == "" {
			sizes = []int{0}
		}
		for j, n := range sizes {
			var began time.Time
			o := siteOptions{
				folder: filepath.Join(folder, fmt.Sprint(i, "-", j)), store: "postgres", replicas: 1, unsynced: true,
				environ: []string{"CASBROKER_METRICS_PPROF=true"},
				before: func(ctx context.Context, db *postgres) (err error) {
					if rows.statements != "" {
						err = db.run(ctx, fmt.Sprintf(rows.statements, n, time.Now().UnixMilli())+"ANALYZE;")
					}
					began = time.Now()
					return err
				},
			}
			err := withSite(ctx, o, func(s *site) error {
				took := time.Since(began)
				f, err := s.collected(ctx)
				if err != nil {
					return err
				}
				if rows.statements == "" {
					base = f
				}
				fmt.Printf("%-24s %12.1f %10.1f %10.0f %14s\n", strings.TrimPrefix(fmt.Sprint(n, " ", rows.name), "0 "), f.rss/(1<<20), f.heap/(1<<20),
					(f.heap-base.heap)/max(float64(n), 1), took.Round(10*time.Millisecond))
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// collected measures the only broker after it has collected garbage.
func (s *site) collected(ctx context.Context) (figuresOf, error) {
	for range 3 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.metrics[0]+"/debug/pprof/heap?gc=1", nil)
		if err != nil {
			return figuresOf{}, err
		}
		answer, err := client.Do(r)
		if err != nil {
			return figuresOf{}, err
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return figuresOf{}, fmt.Errorf("collect garbage: status %d", answer.StatusCode)
		}
		pause(ctx, 500*time.Millisecond)
	}
	return s.measure(ctx, 0)
}
