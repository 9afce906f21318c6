package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"casbroker/internal/httpapi"
)

const largest = 4 << 20

// arrivingBody is a body of which parts arrive when the test sends them.
type arrivingBody struct {
	in   *io.PipeReader
	out  *io.PipeWriter
	read chan error // gets how ReadAll ended
}

// receive begins to receive a body with m. The memory is held until the test ends it.
func receive(t *testing.T, m *httpapi.BodyMemory) (*arrivingBody, *httpapi.BodyShare) {
	t.Helper()
	b, share := &arrivingBody{read: make(chan error, 1)}, m.Share()
	b.in, b.out = io.Pipe()
	t.Cleanup(func() { _ = b.out.Close(); share.Release() })
	go func() {
		_, err := share.ReadAll(context.Background(), b.in, nil, largest)
		_ = b.in.CloseWithError(io.ErrClosedPipe)
		b.read <- err
	}()
	return b, share
}

// send sends n bytes and returns when they were received, or not accepted.
func (b *arrivingBody) send(n int) error {
	_, err := b.out.Write(make([]byte, n))
	return err
}

func TestBodyIsReadAsAWhole(t *testing.T) {
	t.Parallel()
	m := httpapi.NewBodyMemory(largest, 2, time.Millisecond)
	for _, size := range []int{0, 1, 4095, 4096, 4097, 256 << 10, 256<<10 + 1, 1 << 20, 3<<20 + 5, largest - 1, largest} {
		want := bytes.Repeat([]byte("body"), size/4+1)[:size]
		for name, in := range map[string]io.Reader{
			"at once": bytes.NewReader(want), "by halves": iotest.HalfReader(bytes.NewReader(want)), "with its end": iotest.DataErrReader(bytes.NewReader(want)),
		} {
			begun := want[:min(size, 100)]
			_, _ = io.CopyN(io.Discard, in, int64(len(begun)))
			share := m.Share()
			got, err := share.ReadAll(t.Context(), in, begun[:len(begun):len(begun)], largest)
			share.Release()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes %s: got %d, %v", size, name, len(got), err)
			}
		}
	}
}

func TestBodyOverItsLimitIsRefused(t *testing.T) {
	t.Parallel()
	m := httpapi.NewBodyMemory(largest, 2, time.Millisecond)
	for _, limit := range []int64{0, 10, 4096, 300 << 10, largest} {
		share := m.Share()
		_, err := share.ReadAll(t.Context(), bytes.NewReader(make([]byte, limit+1)), nil, limit)
		share.Release()
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); !ok || tooLarge.Limit != limit {
			t.Errorf("a byte over %d: got %v, want a MaxBytesError", limit, err)
		}
	}
}

func TestStalledBodiesHoldOnlyWhatArrived(t *testing.T) {
	t.Parallel()
	m := httpapi.NewBodyMemory(largest, 2, time.Millisecond)
	for range 6 { // three times as many as may arrive as a whole
		stalled, _ := receive(t, m)
		if err := stalled.send(300 << 10); err != nil {
			t.Fatal(err)
		}
	}
	share := m.Share()
	defer share.Release()
	if _, err := share.ReadAll(t.Context(), bytes.NewReader(make([]byte, 1<<20-1)), nil, largest); err != nil {
		t.Errorf("a body of 1 MB next to six that stalled: got %v", err)
	}
}

func TestOldestBodyAlwaysGetsMemory(t *testing.T) {
	t.Parallel()
	m := httpapi.NewBodyMemory(largest, 2, time.Hour)
	oldest, first := receive(t, m)
	if err := oldest.send(300 << 10); err != nil {
		t.Fatal(err)
	}
	// The others take all that they may, so that each waits for the rest.
	var others []*arrivingBody
	var shares []*httpapi.BodyShare
	for range 2 {
		b, share := receive(t, m)
		if err := b.send(2<<20 - 1); err != nil {
			t.Fatal(err)
		}
		others, shares = append(others, b), append(shares, share)
	}
	var waiting sync.WaitGroup
	for _, b := range others {
		waiting.Go(func() { _ = b.send(1 << 20); _ = b.out.Close() })
	}
	if err := oldest.send(largest - 300<<10); err != nil {
		t.Fatal(err)
	}
	_ = oldest.out.Close()
	if err := <-oldest.read; err != nil {
		t.Errorf("the oldest: got %v", err)
	}
	first.Release() // and so on: each of the others is the oldest once
	if err := <-others[0].read; err != nil {
		t.Errorf("the second: got %v", err)
	}
	shares[0].Release()
	if err := <-others[1].read; err != nil {
		t.Errorf("the third: got %v", err)
	}
	waiting.Wait()
}

func TestBodyDoesNotWaitForMemoryForLong(t *testing.T) {
	t.Parallel()
	m := httpapi.NewBodyMemory(largest, 1, time.Millisecond)
	oldest, share := receive(t, m)
	if err := oldest.send(300 << 10); err != nil {
		t.Fatal(err)
	}
	second, _ := receive(t, m)
	_ = second.send(1 << 20)
	if err := <-second.read; !errors.Is(err, httpapi.ErrBodyMemory) {
		t.Errorf("got %v, want ErrBodyMemory", err)
	}
	small := m.Share()
	if _, err := small.ReadAll(t.Context(), bytes.NewReader(make([]byte, 200<<10)), nil, largest); err != nil {
		t.Errorf("a small body: got %v", err)
	}
	share.Release()
	third, _ := receive(t, m)
	if err := third.send(largest); err != nil {
		t.Errorf("after the release: got %v", err)
	}
}

// TestBodiesThatCompeteForMemoryAllEnd sends many bodies at once through memory for two.
func TestBodiesThatCompeteForMemoryAllEnd(t *testing.T) {
	t.Parallel()
	m := httpapi.NewBodyMemory(largest, 2, time.Hour)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			share := m.Share()
			defer share.Release()
			size := largest - i*(64<<10)
			body, err := share.ReadAll(t.Context(), iotest.HalfReader(bytes.NewReader(make([]byte, size))), nil, largest)
			if err != nil || len(body) != size {
				t.Errorf("got %d bytes, %v, want %d", len(body), err, size)
			}
		})
	}
	all.Wait()
	share := m.Share()
	defer share.Release()
	if _, err := share.ReadAll(t.Context(), bytes.NewReader(make([]byte, largest)), nil, largest); err != nil {
		t.Errorf("after all: got %v", err)
	}
}
