package portfolio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
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

var (
	errBusy = fault.New(fault.Unavailable, "save_busy",
		"Too many large statements are being saved; nothing was kept. Try again.").After(5 * time.Second)
	errOneAtATime = fault.New(fault.Limited, "large_save_under_way",
		"Another large statement of yours is being saved; send this one when that has ended.").After(5 * time.Second)
)

// intake bounds the bytes of large payloads that are in memory at a time, and how
// many of them are one user's: one. Those that have arrived are worked on one of the
// largest at a time, or as many smaller ones: each takes several times its bytes of
// memory until it is kept.
type intake struct {
	limit   int64 // bytes of one payload
	maxWait time.Duration
	room    *semaphore.Weighted // for what is on its way in, or is worked on
	work    *semaphore.Weighted // for what is worked on

	mu    sync.Mutex
	large map[string]bool // by user: a large payload of theirs is under way
}

func newIntake(limit int64, maxWait time.Duration) *intake {
	return &intake{
		limit: limit, maxWait: maxWait, large: map[string]bool{},
		room: semaphore.NewWeighted(roomFor * limit), work: semaphore.NewWeighted(limit),
	}
}

// receive reads the body of a request of user. A large one waits for room once so
// much of it has come that it is large; what a header says takes nobody's room. leave
// is to be called when the body is needed no more.
func (i *intake) receive(w http.ResponseWriter, r *http.Request, user string) (body []byte, leave func(), err error) {
	in, err := openBody(w, r, i.limit)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), smallBody)) + bytes.MinRead)
	small := min(smallBody, i.limit)
	_, err = io.CopyN(&b, in, small+1)
	switch {
	case errors.Is(err, io.EOF):
		return b.Bytes(), func() {}, nil
	case err == nil && small == i.limit:
		return nil, nil, in.tooLarge
	case err != nil:
		return nil, nil, in.explain(err)
	}
	if leave, err = i.admit(r.Context(), user, in.size); err != nil {
		return nil, nil, err
	}
	b.Grow(int(max(r.ContentLength-int64(b.Len()), 0)) + bytes.MinRead) // which admit has allowed for
	if _, err = b.ReadFrom(io.LimitReader(in, i.limit+1-int64(b.Len()))); err == nil && int64(b.Len()) > i.limit {
		err = in.tooLarge
	}
	if err != nil {
		leave()
		return nil, nil, in.explain(err)
	}
	return b.Bytes(), leave, nil
}

// admit waits until there is room for a large payload of user, or returns errBusy.
func (i *intake) admit(ctx context.Context, user string, size int64) (leave func(), err error) {
	i.mu.Lock()
	already := i.large[user]
	i.large[user] = true
	i.mu.Unlock()
	if already {
		return nil, errOneAtATime
	}
	release, err := i.wait(ctx, i.room, size)
	if err != nil {
		i.forget(user)
		return nil, err
	}
	return func() { release(); i.forget(user) }, nil
}

func (i *intake) forget(user string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.large, user)
}

// begin waits until body may be worked on, or returns errBusy. end is to be called
// when that is done.
func (i *intake) begin(ctx context.Context, body []byte) (end func(), err error) {
	size := int64(len(body))
	if size <= smallBody {
		return func() {}, nil
	}
	return i.wait(ctx, i.work, size)
}

func (i *intake) wait(ctx context.Context, room *semaphore.Weighted, size int64) (leave func(), err error) {
	if !room.TryAcquire(size) {
		ctx, cancel := context.WithTimeout(ctx, i.maxWait)
		defer cancel()
		if err := room.Acquire(ctx, size); err != nil {
			return nil, errBusy.Because(err)
		}
	}
	return func() { room.Release(size) }, nil
}
