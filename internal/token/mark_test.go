package token_test

import (
	"context"
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

func (m *marks) FindByMark(_ context.Context, mark []byte, _ time.Time) ([]token.Kept, error) {
	if m.asked++; string(mark) != string(m.grant.Mark) {
		return nil, nil
	}
	return []token.Kept{m.grant}, nil
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
	if list, err := r.ByToken(t.Context(), issued.Value); err != nil || len(list) != 1 || list[0].ID != issued.GrantID {
		t.Errorf("got %+v, %v", list, err)
	}
	if list, err := r.ByToken(t.Context(), issued.Value+"x"); err != nil || len(list) != 0 || m.asked != 2 {
		t.Errorf("another token: %+v, %v, %d questions", list, err, m.asked)
	}
	for _, no := range []string{"", "x", "AT_x", " at_x", "at_\n", "at_a b", "at_é", "at_\xff", "at_" + strings.Repeat("x", 8<<10)} {
		if list, err := r.ByToken(t.Context(), secret.Text(no)); err != nil || len(list) != 0 {
			t.Errorf("%.20q: %+v, %v", no, list, err)
		}
	}
	if m.asked != 2 {
		t.Errorf("the database was asked %d times for what is no token", m.asked-2)
	}
}
