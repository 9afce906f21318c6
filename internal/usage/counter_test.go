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

func TestWhatWasDoneIsFoundByMinuteHourAndDay(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Book: db, Now: now.now}
	for range 3 {
		c.Token("reused")
	}
	c.Token("minted")
	c.Token("failed")
	c.Token("refused") // is counted as what refused it
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
	flush(t, c) // there is nothing more
	for _, step := range usage.Steps {
		s := stats(t, db, now, step, time.Time{}, time.Time{})
		p := s.Total
		if p.Minted != 1 || p.Reused != 4 || p.Failed != 1 || p.Refused["invalid_token"] != 2 || p.Refused["subject_blocked"] != 1 ||
			p.Limited["token-user"] != 1 || p.Saved[usage.Created] != 1 || p.Saved[usage.Repeated] != 1 || p.Invented {
			t.Errorf("by %s: %+v", step, p)
		}
		last, before := s.Points[len(s.Points)-1], s.Points[len(s.Points)-3]
		if step == usage.Minute && (last.Reused != 1 || before.Reused != 3 || before.Minted != 1) {
			t.Errorf("the last minutes: %+v, %+v", before, last)
		}
	}
}

func TestEachCountBelongsToTheMinuteInWhichItHappened(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Book: db, Now: now.now}
	for range 5 { // nobody writes for five minutes, at the turn of an hour
		c.Token("reused")
		c.Refuse("invalid_token")
		c.Limit("token-user")
		c.Upstream("ok", time.Second)
		now.move(time.Minute)
	}
	now.move(-2 * time.Minute) // a clock that is put right
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

func TestNothingIsLostAmongManyWhoCount(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Book: db, Now: now.now}
	const callers, each = 8, 2000
	flushing, stop := context.WithCancel(t.Context())
	var flusher, counting sync.WaitGroup
	flusher.Go(func() {
		for i := 0; flushing.Err() == nil; i++ {
			if i < 1000 { // no more hours than Stats tells of at once
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
				t.Errorf("by %s: %d of caller %d", step, n, i)
			}
		}
	}
}

func TestWhatADatabaseThatIsAwayDidNotTakeIsAddedLater(t *testing.T) {
	t.Parallel()
	now := newClock()
	db := &flaky{Book: storetest.New(t), away: true}
	c := &usage.Counter{Book: db, Now: now.now}
	for range 90 {
		c.Token("minted")
		c.Upstream("ok", 10*time.Millisecond)
		if err := c.Flush(t.Context()); err == nil {
			t.Fatal("a failure is not told")
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

// forgetful is a Book that adds counts, and then fails to say so.
type forgetful struct{ usage.Book }

func (f forgetful) AddCounts(ctx context.Context, counts []usage.Count) error {
	if err := f.Book.AddCounts(ctx, counts); err != nil {
		return err
	}
	return errors.New("the connection was lost")
}

func TestWhatMayOrMayNotHaveBeenWrittenIsRatherCountedTwice(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Book: forgetful{db}, Now: now.now}
	c.Token("minted")
	if c.Flush(t.Context()) == nil {
		t.Error("a failure is not told")
	}
	c.Book = db
	flush(t, c)
	if n := stats(t, db, now, usage.Day, time.Time{}, time.Time{}).Total.Minted; n != 2 {
		t.Errorf("counted %d times", n)
	}
}

// heap is a Book that keeps what it is given, as it comes.
type heap struct {
	usage.Book
	given [][]usage.Count
}

func (h *heap) AddCounts(_ context.Context, counts []usage.Count) error {
	h.given = append(h.given, counts)
	return nil
}

func TestOfALongTimeAwayOnlyTheMinutesAreForgotten(t *testing.T) {
	t.Parallel()
	now, given := newClock(), &heap{}
	db := &flaky{Book: given, away: true}
	c := &usage.Counter{Book: db, Now: now.now}
	const minutes, codes, most = 18 * 60, 20, 20_000
	for m := range minutes {
		for i := range codes {
			c.Refuse(fmt.Sprint("code_", i))
		}
		now.move(time.Minute)
		if m%45 == 44 && c.Flush(t.Context()) == nil {
			t.Fatal("a failure is not told")
		}
	}
	db.set(false)
	flush(t, c)
	kept, sums, oldest := 0, map[usage.Step]int64{}, now.now()
	for _, some := range given.given {
		if kept += len(some); len(some) > 1000 {
			t.Errorf("%d at a time", len(some))
		}
		for _, n := range some {
			sums[n.Step] += n.N
			if n.Step == usage.Minute && n.At.Before(oldest) {
				oldest = n.At
			}
		}
	}
	if kept != most || sums[usage.Hour] != minutes*codes || sums[usage.Day] != minutes*codes {
		t.Errorf("%d were kept, %v", kept, sums)
	}
	if away := now.now().Sub(oldest); away < 16*time.Hour || away > 17*time.Hour {
		t.Errorf("of the minutes there are %v", away)
	}
}

func TestLabelsBeyondManyAreCountedTogether(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Book: db, Now: now.now}
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
			t.Errorf("%s: %d in %d labels, %d of others", name, all, len(labels), labels["other"])
		}
	}
}
