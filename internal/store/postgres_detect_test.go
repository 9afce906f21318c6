package store

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// detection is a hangDetector of a server that takes connections or not, in a bubble of synctest.
type detection struct {
	*hangDetector
	hangs atomic.Bool
	moved atomic.Bool
}

func newDetection(t *testing.T) *detection {
	t.Helper()
	d := &detection{}
	d.hangDetector = newHangDetector(func(ctx context.Context) (moved bool, err error) {
		if d.hangs.Load() {
			<-ctx.Done()
		}
		return d.moved.Swap(false), ctx.Err()
	}, slog.New(slog.DiscardHandler))
	return d
}

func TestHangIsDetectedWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDetection(t)
		d.hangs.Store(true)
		began := time.Now()
		answers, ended, err := d.begin()
		if err != nil {
			t.Fatal(err)
		}
		defer ended()
		<-answers.Done()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a user waits %v, want 2s at most", took)
		}
		if _, _, err := d.begin(); !errors.Is(err, errHangs) {
			t.Errorf("the next one: got %v, want errHangs", err)
		}
		d.hangs.Store(false)
		<-time.After(probeEvery + probeTimeout)
		if _, ended, err := d.begin(); err != nil || !ended() {
			t.Errorf("after the server answers: got %v", err)
		}
		d.close()
		synctest.Wait()
	})
}

func TestLongStatementIsNoHangingServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDetection(t)
		answers, ended, err := d.begin()
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(queryTimeout)
		ended()
		if answers.Err() != nil {
			t.Error("a statement was given up although the server takes connections")
		}
		d.close()
	})
}

func TestStatementsAreGivenUpWhenAnotherHostIsTheOneToUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDetection(t)
		d.moved.Store(true)
		answers, ended, err := d.begin()
		if err != nil {
			t.Fatal(err)
		}
		defer ended()
		<-answers.Done()
		if _, ended, err := d.begin(); err != nil || !ended() {
			t.Errorf("the next one: got %v, want that it uses the other host", err)
		}
		d.close()
		synctest.Wait()
	})
}
