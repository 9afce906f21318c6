package token_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// marks is a Finder that has one grant, and counts how often it is asked for it.
type marks struct {
	token.Finder
	grant token.Kept
	asked int
}

func (m *marks) FindByMark(_ context.Context, mark []byte, _ time.Time) (token.Kept, error) {
	if m.asked++; string(mark) != string(m.grant.Mark) {
		return token.Kept{}, token.ErrNoGrant
	}
	return m.grant, nil
}

func TestAGrantIsFoundByItsTokenOfWhichTheLedgerHasAMarkAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issued, err := w.service.Issue(t.Context(), asha, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	grant := w.ledger.grants[0]
	if len(grant.Mark) != 32 || strings.Contains(string(grant.Mark), "at_") {
		t.Fatalf("the mark is %x", grant.Mark)
	}
	m := &marks{grant: token.Kept{Grant: grant}}
	r := &token.Register{Finder: m, Box: w.service.Box, Now: w.clock}
	if k, err := r.ByToken(t.Context(), issued.Value); err != nil || k.ID != issued.GrantID {
		t.Errorf("got %+v, %v", k, err)
	}
	if _, err := r.ByToken(t.Context(), issued.Value+"x"); !errors.Is(err, token.ErrNoGrant) || m.asked != 2 {
		t.Errorf("another token: %v, %d questions", err, m.asked)
	}
	for _, no := range []string{"", "x", "AT_x", " at_x", "at_\n", "at_a b", "at_é", "at_\xff", "at_" + strings.Repeat("x", 8<<10)} {
		if _, err := r.ByToken(t.Context(), secret.Text(no)); !errors.Is(err, token.ErrNoGrant) {
			t.Errorf("%.20q: %v", no, err)
		}
	}
	if m.asked != 2 {
		t.Errorf("the database was asked %d times for what is no token", m.asked-2)
	}
}
