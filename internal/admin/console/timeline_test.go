package console

import (
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/id"
	"casbroker/internal/token"
)

// grantOf is a grant of a token that lived for an hour from ago.
func grantOf(state token.State, ago time.Duration, revoked time.Time) token.GrantInfo {
	at := noon.Add(-ago)
	return token.GrantInfo{
		Grant: token.Grant{ID: id.New("gr"), Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour)},
		State: state, RevokedAt: revoked,
	}
}

func TestTheTimelineShowsADayAndTheHourInWhichTokensExpire(t *testing.T) {
	t.Parallel()
	line := drawTimeline([]token.GrantInfo{
		grantOf(token.StateActive, 30*time.Minute, time.Time{}),
		grantOf(token.StateRevoked, 40*time.Minute, noon.Add(-10*time.Minute)),
		grantOf(token.StateExpired, 4*time.Hour, time.Time{}),
		grantOf(token.StateExpired, 26*time.Hour, time.Time{}), // gone before
	}, noon)
	want := []rect{
		{X: "940", W: "40", Y: "2", H: "14", Tint: "active"},
		{X: "933.33", W: "20", Y: "20", H: "14", Tint: "revoked"}, // beside the other one
		{X: "800", W: "40", Y: "2", H: "14", Tint: "expired"},
	}
	var bars []rect
	for _, b := range line.Bars {
		bars = append(bars, b.rect)
	}
	if !slices.Equal(bars, want) || line.Height != 36 || line.Today != "960" {
		t.Errorf("the bars are %+v of %d, now is %s", bars, line.Height, line.Today)
	}
	if tail := line.Bars[1].Tail; tail == nil || tail.X != "953.33" || tail.W != "20" || !line.Tails {
		t.Errorf("at the vendor it lives for %+v", tail)
	}
	if !strings.Contains(line.Says, "1 active, 1 expired, 1 revoked") || !strings.Contains(line.Bars[1].Title, "at the vendor until 12:20 UTC") {
		t.Errorf("it says %q and %q", line.Says, line.Bars[1].Title)
	}
	if want := []string{"12:00", "17:00", "22:00", "03:00\n1 Apr", "08:00", "13:00"}; !slices.Equal(line.Edges, want) {
		t.Errorf("below it stands %q", line.Edges)
	}
}

func TestTheTimelineShowsHoursWhenAllTokensAreFromLately(t *testing.T) {
	t.Parallel()
	line := drawTimeline([]token.GrantInfo{
		grantOf(token.StateActive, 30*time.Minute, time.Time{}),
		grantOf(token.StateExpired, 3*time.Hour, time.Time{}),
		grantOf(token.StateExpired, 26*time.Hour, time.Time{}), // gone before the day
	}, noon)
	if line.Title != "Tokens of the last 3 hours" || !strings.HasPrefix(line.Says, line.Title) || line.Today != "750" {
		t.Errorf("it is called %q and says %q; now is %s", line.Title, line.Says, line.Today)
	}
	if want := []string{"09:00", "10:00", "11:00", "12:00", "13:00"}; !slices.Equal(line.Edges, want) {
		t.Errorf("below it stands %q", line.Edges)
	}
	if len(line.Bars) != 2 || line.Bars[0].X != "625" || line.Bars[0].W != "250" || line.Bars[1].X != "0" {
		t.Errorf("the bars are %+v", line.Bars)
	}
	if none := drawTimeline(nil, noon); none.Title != "Tokens of the last 24 hours" || none.Height != lane {
		t.Errorf("without tokens it is %+v", none)
	}
}
