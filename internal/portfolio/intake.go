package portfolio

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"casbroker/internal/fault"
)

const (
	// roomFor is how many of the largest payloads may be on their way in at a time,
	// however slowly they come.
	roomFor = 4
	// smallBody is the payload that need not wait, in bytes: nearly every statement.
	smallBody = 256 << 10
)

var errBusy = fault.New(fault.Unavailable, "save_busy",
	"Too many large statements are being saved; nothing was kept. Try again.").After(5 * time.Second)

// intake bounds the bytes of large payloads that are in memory at a time. Those
// that have arrived are worked on one of the largest at a time, or as many smaller
// ones: each takes several times its bytes of memory until it is kept.
type intake struct {
	limit   int64 // bytes of one payload
	maxWait time.Duration
	room    *semaphore.Weighted // for what is on its way in, or is worked on
	work    *semaphore.Weighted // for what is worked on
}

func newIntake(limit int64, maxWait time.Duration) *intake {
	return &intake{
		limit: limit, maxWait: maxWait, room: semaphore.NewWeighted(roomFor * limit), work: semaphore.NewWeighted(limit),
	}
}

// enter waits until there is room for the body of r, or returns errBusy. leave is
// to be called when the body is needed no more.
func (i *intake) enter(r *http.Request) (leave func(), err error) {
	return i.wait(r.Context(), i.room, i.weigh(r))
}

// begin waits until body may be worked on, or returns errBusy. end is to be called
// when that is done.
func (i *intake) begin(ctx context.Context, body []byte) (end func(), err error) {
	weight := int64(len(body))
	if weight <= smallBody {
		weight = 0
	}
	return i.wait(ctx, i.work, weight)
}

func (i *intake) wait(ctx context.Context, room *semaphore.Weighted, weight int64) (leave func(), err error) {
	if !room.TryAcquire(weight) {
		ctx, cancel := context.WithTimeout(ctx, i.maxWait)
		defer cancel()
		if err := room.Acquire(ctx, weight); err != nil {
			return nil, errBusy.Because(err)
		}
	}
	return func() { room.Release(weight) }, nil
}

// weigh is how many bytes the body of r may come to. One that is going to be
// refused for its size weighs nothing.
func (i *intake) weigh(r *http.Request) int64 {
	switch n := r.ContentLength; {
	case n > i.limit:
		return 0
	case n < 0 || r.Header.Get("Content-Encoding") != "":
		return i.limit
	case n <= smallBody:
		return 0
	default:
		return n
	}
}
