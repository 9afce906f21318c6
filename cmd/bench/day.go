package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// loadCommand is the argument that measures a day's traffic.
const loadCommand = "load"

// dayPlan is the extent of a day's traffic.
type dayPlan struct {
	rate        float64 // requests per second
	duration    time.Duration
	users       int
	replicas    int
	store       string
	connections int // that the greatest rate is measured with
	soak        bool
	folder      string
}

// runLoad measures a day's traffic as args say.
func runLoad(ctx context.Context, args []string) error {
	var p dayPlan
	flags := flag.NewFlagSet(loadCommand, flag.ExitOnError)
	flags.Float64Var(&p.rate, "rate", 200, "requests per second; 0 for half of the greatest rate, which is measured first")
	flags.DurationVar(&p.duration, "duration", time.Minute, "how long")
	flags.IntVar(&p.users, "users", 50_000, "users, each with a token; one of 25 has statements")
	flags.StringVar(&p.store, "store", "sqlite", "sqlite, with the cache in memory, or postgres, with Redis")
	flags.IntVar(&p.replicas, "replicas", 0, "brokers; 1 with sqlite, 3 with postgres if it is 0")
	flags.IntVar(&p.connections, "connections", 64, "concurrent connections when the greatest rate is measured")
	flags.BoolVar(&p.soak, "soak", false, "10 minutes at half of the greatest rate, and whether memory, goroutines and files stay the same")
	flags.StringVar(&p.folder, "folder", "", "where the databases are; deleted at the end")
	_ = flags.Parse(args) // it exits
	if err := p.complete(flags); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(p.folder, "casbroker-load-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if brokerProgram, err = buildBroker(ctx, folder, false); err != nil {
		return err
	}
	s, err := startSite(ctx, siteOptions{folder: folder, store: p.store, replicas: p.replicas})
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("%d broker(s) on %s; getting tokens for %d users, saving statements of %d …\n", p.replicas, p.store, p.users, p.users/mixSavers)
	m, err := newMix(ctx, s, p.users)
	if err != nil {
		return err
	}
	return p.run(ctx, s, newTraffic(m, kinds, s.addresses()))
}

// complete checks the plan and sets what was not given.
func (p *dayPlan) complete(flags *flag.FlagSet) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if p.soak && !given["rate"] {
		p.rate = 0
	}
	if p.soak && !given["duration"] {
		p.duration = 10 * time.Minute
	}
	if p.replicas == 0 {
		p.replicas = map[string]int{"sqlite": 1, "postgres": 3}[p.store]
	}
	switch {
	case p.store != "sqlite" && p.store != "postgres":
		return errors.New("-store must be sqlite or postgres")
	case p.store == "sqlite" && p.replicas > 1:
		return errors.New("several brokers need -store postgres")
	case p.replicas < 1, p.users < 2*mixCallers, p.rate < 0, p.connections < 1, p.duration < warmUp+time.Second:
		return fmt.Errorf("-replicas and -connections must be 1 or more, -users %d, -rate 0, -duration %s", 2*mixCallers, warmUp+time.Second)
	}
	return nil
}

func (p *dayPlan) run(ctx context.Context, s *site, t *traffic) error {
	if p.rate == 0 {
		p.rate = p.greatest(ctx, s, t) / 2
	}
	fmt.Printf("sending %.0f requests/s for %s …\n", p.rate, p.duration)
	t.atRate(ctx, p.rate, warmUp)
	t.reset()
	var u usage
	u.before = t.atRest(ctx, s, nil)
	stop := watchSite(ctx, s)
	before, events := s.cpu(), s.events.Load()
	t.atRate(ctx, p.rate, p.duration)
	perRequest, perSecond := 1e6*(s.cpu()-before)/(p.rate*p.duration.Seconds()), float64(s.events.Load()-events)/p.duration.Seconds()
	u.samples = stop()
	u.after = t.atRest(ctx, s, u.before)
	if err := ctx.Err(); err != nil {
		return err
	}
	fmt.Printf("\n%.0f requests/s for %s, %d users, %d broker(s) on %s: %.0f us of processor time of the brokers per request, %.1f events/s\n\n",
		p.rate, p.duration, p.users, p.replicas, p.store, perRequest, perSecond)
	t.report(p.duration)
	return p.judge(t, u)
}

// greatest measures the greatest rate, in requests per second.
func (p *dayPlan) greatest(ctx context.Context, s *site, t *traffic) float64 {
	fmt.Printf("measuring the greatest rate with %d connections …\n", p.connections)
	t.asFastAsPossible(ctx, p.connections, warmUp)
	t.reset()
	before, length := s.cpu(), 20*time.Second
	rate := t.asFastAsPossible(ctx, p.connections, length)
	fmt.Printf("%.0f requests/s at most, with %.0f us of processor time of the brokers each\n", rate, 1e6*(s.cpu()-before)/(rate*length.Seconds()))
	t.report(length)
	t.reset()
	return rate
}

// newMix gives each user a token, and some users statements.
func newMix(ctx context.Context, s *site, users int) (*mix, error) {
	m := &mix{upload: newForm(smallUploadSize)}
	jwts, err := tokens(2*users, 2*users)
	if err != nil {
		return nil, err
	}
	m.jwts = jwts[:users]
	if m.blocked, err = userToken(blockedUser, nil); err != nil {
		return nil, err
	}
	if m.admin, err = userToken("operator", []string{"casbroker:admin"}); err != nil {
		return nil, err
	}
	first := s.brokers[0].address
	var ignored json.RawMessage
	if err := post(ctx, first, "/admin/v1/users/app:"+blockedUser+"/block", "Authorization", "Bearer "+m.admin, &ignored); err != nil {
		return nil, err
	}
	// Those who came before have filled the caches, which would otherwise grow for as long as the traffic lasts.
	for _, list := range [][]string{jwts[users:], m.jwts} {
		if err := s.giveTokens(ctx, list); err != nil {
			return nil, err
		}
	}
	if m.owner, err = prepareGateway(ctx, s.brokers[0]); err != nil {
		return nil, err
	}
	for _, bearer := range m.jwts[:mixCallers] {
		var answer struct {
			Token string `json:"access_token"`
		}
		if err := post(ctx, first, "/v1/token", "Authorization", "Bearer "+bearer, &answer); err != nil {
			return nil, err
		}
		m.callers = append(m.callers, answer.Token)
	}
	return m, m.saveFirst(ctx, s.addresses())
}

// giveTokens gets a token for each of the JWTs, from the brokers in turn.
func (s *site) giveTokens(ctx context.Context, jwts []string) error {
	for i, b := range s.brokers {
		part := jwts[i*len(jwts)/len(s.brokers) : (i+1)*len(jwts)/len(s.brokers)]
		if _, err := load(ctx, b.address, tokenRequests(part), len(part), 64); err != nil {
			return err
		}
	}
	return nil
}

// saveFirst saves mixSaved statements of each user who has some.
func (m *mix) saveFirst(ctx context.Context, servers []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		all.Go(func() {
			client := &http.Client{Timeout: answerTime}
			for i := int(next.Add(1)) - 1; i < mixSaved*m.savers() && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				user := i / mixSaved
				if _, err := saveStatement(ctx, client, servers[i%len(servers)], m.jwts[user], monthlyStatement(user, i%mixSaved)); err != nil {
					cancel(fmt.Errorf("user %s: %w", strconv.Itoa(user), err))
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
