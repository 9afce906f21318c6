package usage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"casbroker/internal/testkit/storetest"
	"casbroker/internal/usage"
)

func flush(t *testing.T, c *usage.Counter) {
	t.Helper()
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCountsAreStoredByMinuteHourAndDay(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Store: db, Now: now.now}
	for range 3 {
		c.Token("reused")
	}
	c.Token("minted")
	c.Token("failed")
	c.Token("refused") // counted by Refuse
	c.Refuse("invalid_token")
	c.Refuse("invalid_token")
	c.Refuse("subject_blocked")
	c.Limit("token-user")
	c.Save(true)
	c.Save(false)
	flush(t, c)
	now.move(2 * time.Minute)
	c.Token("reused")
	flush(t, c)
	flush(t, c) // nothing is left
	for _, step := range usage.Steps {
		s := stats(t, db, now, step, time.Time{}, time.Time{})
		p := s.Total
		if p.Minted != 1 || p.Reused != 4 || p.Failed != 1 || p.Refused["invalid_token"] != 2 || p.Refused["subject_blocked"] != 1 ||
			p.Limited["token-user"] != 1 || p.Saved[usage.Created] != 1 || p.Saved[usage.Repeated] != 1 || p.Synthetic {
			t.Errorf("by %s: %+v", step, p)
		}
		last, before := s.Points[len(s.Points)-1], s.Points[len(s.Points)-3]
		if step == usage.Minute && (last.Reused != 1 || before.Reused != 3 || before.Minted != 1) {
			t.Errorf("the last minutes: %+v, %+v", before, last)
		}
	}
}

func TestEventBelongsToTheMinuteInWhichItHappens(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Store: db, Now: now.now}
	for range 5 { // five minutes without a flush, across the turn of an hour
		c.Token("reused")
		c.Refuse("invalid_token")
		c.Limit("token-user")
		c.Upstream("ok", time.Second)
		now.move(time.Minute)
	}
	now.move(-2 * time.Minute) // the clock is corrected
	c.Token("reused")
	now.move(2 * time.Minute)
	flush(t, c)
	minutes := stats(t, db, now, usage.Minute, begin, begin.Add(5*time.Minute)).Points
	for i, p := range minutes[:5] {
		want := int64(1)
		if i == 3 {
			want = 2
		}
		if p.Reused != want || p.Refused["invalid_token"] != 1 || p.Limited["token-user"] != 1 || p.Upstream.Calls != 1 {
			t.Errorf("minute %d: %+v", i, p)
		}
	}
}

func TestConcurrentEventsAreAllCounted(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Store: db, Now: now.now}
	const callers, each = 8, 2000
	flushing, stop := context.WithCancel(t.Context())
	var flusher, counting sync.WaitGroup
	flusher.Go(func() {
		for i := 0; flushing.Err() == nil; i++ {
			if i < 1000 { // no more hours than Stats returns at once
				now.move(20 * time.Second)
			}
			if err := c.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range callers {
		counting.Go(func() {
			for range each {
				c.Token("reused")
				c.Refuse(fmt.Sprint("code_", i))
				c.Upstream("ok", time.Millisecond)
			}
		})
	}
	counting.Wait()
	stop()
	flusher.Wait()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []usage.Step{usage.Hour, usage.Day} {
		p := stats(t, db, now, step, begin, now.now().Add(time.Hour)).Total
		if p.Reused != callers*each || p.Upstream.Calls != callers*each || p.Upstream.MeanMS != 1 {
			t.Errorf("by %s: %+v", step, p)
		}
		for i := range callers {
			if n := p.Refused[fmt.Sprint("code_", i)]; n != each {
				t.Errorf("by %s: got %d events of caller %d, want %d", step, n, i, each)
			}
		}
	}
}

func TestCountsWaitWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	now := newClock()
	db := &flaky{Store: storetest.New(t), down: true}
	c := &usage.Counter{Store: db, Now: now.now}
	for range 90 {
		c.Token("minted")
		c.Upstream("ok", 10*time.Millisecond)
		if err := c.Flush(t.Context()); err == nil {
			t.Fatal("got no error")
		}
		now.move(time.Minute)
	}
	db.set(false)
	c.Token("minted")
	flush(t, c)
	if p := stats(t, db, now, usage.Minute, begin, now.now()).Total; p.Minted != 91 || p.Upstream.Calls != 90 || p.Upstream.MeanMS != 10 {
		t.Errorf("by minute: %+v", p)
	}
	if p := stats(t, db, now, usage.Hour, time.Time{}, time.Time{}).Total; p.Minted != 91 {
		t.Errorf("by hour: %+v", p)
	}
}

// lostReply is a Store that adds counts and then returns an error.
type lostReply struct{ usage.Store }

func (f lostReply) AddCounts(ctx context.Context, counts []usage.Count) error {
	if err := f.Store.AddCounts(ctx, counts); err != nil {
		return err
	}
	return errors.New("the connection was lost")
}

func TestUnconfirmedWriteIsRepeated(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Store: lostReply{db}, Now: now.now}
	c.Token("minted")
	if c.Flush(t.Context()) == nil {
		t.Error("got no error")
	}
	c.Store = db
	flush(t, c)
	if n := stats(t, db, now, usage.Day, time.Time{}, time.Time{}).Total.Minted; n != 2 {
		t.Errorf("got %d, want 2", n)
	}
}

// batches is a Store that collects the batches it is given.
type batches struct {
	usage.Store
	given [][]usage.Count
}

func (b *batches) AddCounts(_ context.Context, counts []usage.Count) error {
	b.given = append(b.given, counts)
	return nil
}

func TestLongOutageDropsOldMinutesOnly(t *testing.T) {
	t.Parallel()
	now, written := newClock(), &batches{}
	db := &flaky{Store: written, down: true}
	c := &usage.Counter{Store: db, Now: now.now}
	const minutes, codes, maxCounts = 18 * 60, 20, 20_000
	for m := range minutes {
		for i := range codes {
			c.Refuse(fmt.Sprint("code_", i))
		}
		now.move(time.Minute)
		if m%45 == 44 && c.Flush(t.Context()) == nil {
			t.Fatal("got no error")
		}
	}
	db.set(false)
	flush(t, c)
	kept, sums, oldest := 0, map[usage.Step]int64{}, now.now()
	for _, batch := range written.given {
		if kept += len(batch); len(batch) > 1000 {
			t.Errorf("a batch of %d counts, want 1000 at most", len(batch))
		}
		for _, n := range batch {
			sums[n.Step] += n.N
			if n.Step == usage.Minute && n.At.Before(oldest) {
				oldest = n.At
			}
		}
	}
	if kept != maxCounts || sums[usage.Hour] != minutes*codes || sums[usage.Day] != minutes*codes {
		t.Errorf("got %d counts with sums %v, want %d and all hours and days", kept, sums, maxCounts)
	}
	if age := now.now().Sub(oldest); age < 16*time.Hour || age > 17*time.Hour {
		t.Errorf("the oldest minute is %v old, want 16h to 17h", age)
	}
}

func TestLabelsPastTheBoundAreCountedTogether(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Store: db, Now: now.now}
	for i := range 2000 {
		c.Refuse(fmt.Sprint("code_", i))
		c.Limit(fmt.Sprint("limit_", i))
		c.Upstream(fmt.Sprint("outcome_", i), time.Second)
	}
	flush(t, c)
	p := stats(t, db, now, usage.Minute, time.Time{}, time.Time{}).Total
	for name, labels := range map[string]map[string]int64{"refused": p.Refused, "limited": p.Limited, "outcomes": p.Upstream.Outcome} {
		var all int64
		for _, n := range labels {
			all += n
		}
		if all != 2000 || len(labels) > 1001 || labels["other"] < 900 {
			t.Errorf("%s: got %d events in %d labels, %d of them as other", name, all, len(labels), labels["other"])
		}
	}
}
