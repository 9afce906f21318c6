package token_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// grantReader is a GrantReader with one grant that counts queries.
type grantReader struct {
	token.GrantReader
	grant   token.GrantInfo
	queries int
}

func (r *grantReader) FindByTokenHash(_ context.Context, hash []byte, _ time.Time) ([]token.GrantInfo, error) {
	if r.queries++; string(hash) != string(r.grant.TokenHash) {
		return nil, nil
	}
	return []token.GrantInfo{r.grant}, nil
}

func TestGrantIsFoundByTheHashOfItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issued, err := w.service.Issue(t.Context(), asha, token.Request{TTL: time.Hour}, nil)
	if err != nil {
		t.Fatal(err)
	}
	grant := w.grants.grants[0]
	if len(grant.TokenHash) != 32 || strings.Contains(string(grant.TokenHash), "at_") {
		t.Fatalf("token hash: got %x, want 32 bytes without the token", grant.TokenHash)
	}
	r := &grantReader{grant: token.GrantInfo{Grant: grant}}
	d := &token.Directory{Grants: r, Box: w.service.Box, Now: w.clock}
	if list, err := d.ByToken(t.Context(), issued.Value); err != nil || len(list) != 1 || list[0].ID != issued.GrantID {
		t.Errorf("ByToken: got %+v, %v, want the grant %s", list, err, issued.GrantID)
	}
	if list, err := d.ByToken(t.Context(), issued.Value+"x"); err != nil || len(list) != 0 || r.queries != 2 {
		t.Errorf("another token: got %+v, %v after %d queries, want none after 2", list, err, r.queries)
	}
	for _, malformed := range []string{"", "x", "AT_x", " at_x", "at_\n", "at_a b", "at_é", "at_", `at_"`, "at_a/b", "at_\xff", "at_" + strings.Repeat("x", 8<<10)} {
		if list, err := d.ByToken(t.Context(), secret.Text(malformed)); err != nil || len(list) != 0 {
			t.Errorf("%.20q: got %+v, %v, want none", malformed, list, err)
		}
	}
	if r.queries != 2 {
		t.Errorf("%d queries for malformed tokens, want 0", r.queries-2)
	}
}
