package token

import (
	"encoding/json"
	"testing"
	"time"

	"casbroker/internal/secret"
)

// issuedAt is a time in the middle of a second.
var issuedAt = time.Date(2026, 4, 1, 10, 0, 0, 500_000_000, time.UTC)

func answerOf(t testing.TB, value secret.Text) []byte {
	t.Helper()
	h := Handler{Tokens: &Service{Now: func() time.Time { return issuedAt }}}
	b, err := h.appendAnswer(nil, Issued{
		Value: value, Mode: ModeDirect, GrantID: "gr_1", ExpiresAt: issuedAt.Add(time.Hour), RefreshAfter: issuedAt.Add(30 * time.Minute),
	}, "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswerHasTheDocumentedMembers(t *testing.T) {
	t.Parallel()
	want := `{"access_token":"at_x","token_type":"api_key","expires_in":3600,"expires_at":"2026-04-01T11:00:00Z",` +
		`"refresh_after":"2026-04-01T10:30:00Z","grant_id":"gr_1","mode":"direct"}` + "\n"
	if got := string(answerOf(t, "at_x")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnswerEscapesTheToken(t *testing.T) {
	t.Parallel()
	const value = `at_"\` + "\n"
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answerOf(t, value), &got); err != nil || got.AccessToken != value {
		t.Errorf("got %q, %v, want %q", got.AccessToken, err, value)
	}
}

func BenchmarkAnswer(b *testing.B) {
	h := Handler{Tokens: &Service{Now: func() time.Time { return issuedAt }}}
	t := Issued{
		Value: "at_01kf0a6v3m9t2w8x4y5z7b1c2d01kf0a6v3m9t2w8x4y5z7b1c2d", GrantID: "gr_01kf0a6v3m9t2w8x4y5z7b1c2d",
		ExpiresAt: issuedAt.Add(time.Hour), RefreshAfter: issuedAt.Add(30 * time.Minute),
	}
	buffer := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.appendAnswer(buffer[:0], t, ""); err != nil {
			b.Fatal(err)
		}
	}
}
