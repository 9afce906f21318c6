package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"casbroker/internal/fault"
)

var errDown = fault.New(fault.Unavailable, "upstream_unavailable", "Try again later.")

func TestErrorTextHasNoteAndCause(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]*fault.Fault{
		"upstream_unavailable: Try again later.":                         errDown,
		"upstream_unavailable: Try again later.: EOF":                    errDown.Because(io.EOF),
		"upstream_unavailable: Try again later.: check upstream.api_key": errDown.WithNotef("check %s", "upstream.api_key"),
		"upstream_unavailable: Try again later.: check the key: EOF":     errDown.Because(io.EOF).WithNotef("check the key"),
		"upstream_unavailable: In 5 minutes.: check the key":             errDown.WithNotef("check the key").Withf("In %d minutes.", 5),
	} {
		if got := f.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNoteStaysOutOfDetail(t *testing.T) {
	t.Parallel()
	f := errDown.WithNotef("check upstream.api_key").Because(io.EOF)
	if f.Detail != errDown.Detail || f.Note != "check upstream.api_key" {
		t.Errorf("got detail %q and note %q", f.Detail, f.Note)
	}
}

func TestChangesLeaveTheDeclaredFaultAlone(t *testing.T) {
	t.Parallel()
	declared := fault.New(fault.Limited, "too_many_requests", "Slow down.")
	before := *declared
	_ = declared.Because(io.EOF)
	_ = declared.Withf("other")
	_ = declared.WithNotef("other")
	_ = declared.After(time.Second)
	_ = declared.At(fault.Field{Pointer: "/a"})
	if fmt.Sprintf("%+v", *declared) != fmt.Sprintf("%+v", before) {
		t.Errorf("got %+v, want %+v", *declared, before)
	}
}

func TestCopyIsStillTheDeclaredFault(t *testing.T) {
	t.Parallel()
	wrapped := fmt.Errorf("mint: %w", errDown.WithNotef("note").Withf("other").After(time.Second).Because(io.EOF))
	if !errors.Is(wrapped, errDown) || !errors.Is(wrapped, io.EOF) {
		t.Errorf("%v is not %v because of %v", wrapped, errDown, io.EOF)
	}
	if errors.Is(wrapped, fault.New(fault.Conflict, errDown.Code, errDown.Detail)) {
		t.Error("a fault of another kind is the same")
	}
}
