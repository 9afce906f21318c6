package console

import (
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/id"
	"casbroker/internal/token"
)

// grantOf returns a grant that was issued some time ago and lives for an hour.
func grantOf(state token.State, ago time.Duration, revoked time.Time) token.GrantInfo {
	at := noon.Add(-ago)
	return token.GrantInfo{
		Grant: token.Grant{ID: id.New("gr"), Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour)},
		State: state, RevokedAt: revoked,
	}
}

func TestTimelineShowsADayAndTheNextHour(t *testing.T) {
	t.Parallel()
	line := newTimeline([]token.GrantInfo{
		grantOf(token.StateActive, 30*time.Minute, time.Time{}),
		grantOf(token.StateRevoked, 40*time.Minute, noon.Add(-10*time.Minute)),
		grantOf(token.StateExpired, 4*time.Hour, time.Time{}),
		grantOf(token.StateExpired, 26*time.Hour, time.Time{}), // expired before
	}, noon)
	want := []rect{
		{X: "940", W: "40", Y: "2", H: "14", Tint: "active"},
		{X: "933.33", W: "20", Y: "20", H: "14", Tint: "revoked"}, // below the other one
		{X: "800", W: "40", Y: "2", H: "14", Tint: "expired"},
	}
	var bars []rect
	for _, b := range line.Bars {
		bars = append(bars, b.rect)
	}
	if !slices.Equal(bars, want) || line.Height != 36 || line.NowX != "960" {
		t.Errorf("got the bars %+v with height %d and now at %s", bars, line.Height, line.NowX)
	}
	if atVendor := line.Bars[1].AtVendor; atVendor == nil || atVendor.X != "953.33" || atVendor.W != "20" || !line.ShowsVendor {
		t.Errorf("got the bar %+v at the vendor", atVendor)
	}
	if !strings.Contains(line.Description, "1 active, 1 expired, 1 revoked") || !strings.Contains(line.Bars[1].Title, "at the vendor until 12:20 UTC") {
		t.Errorf("got the texts %q and %q", line.Description, line.Bars[1].Title)
	}
	if want := []string{"12:00", "17:00", "22:00", "03:00\n1 Apr", "08:00", "13:00"}; !slices.Equal(line.Times, want) {
		t.Errorf("got the times %q, want %q", line.Times, want)
	}
}

func TestTimelineShowsHoursWhenAllTokensAreRecent(t *testing.T) {
	t.Parallel()
	line := newTimeline([]token.GrantInfo{
		grantOf(token.StateActive, 30*time.Minute, time.Time{}),
		grantOf(token.StateExpired, 3*time.Hour, time.Time{}),
		grantOf(token.StateExpired, 26*time.Hour, time.Time{}), // expired before the day
	}, noon)
	if line.Title != "Tokens of the last 3 hours" || !strings.HasPrefix(line.Description, line.Title) || line.NowX != "750" {
		t.Errorf("got the title %q, the description %q and now at %s", line.Title, line.Description, line.NowX)
	}
	if want := []string{"09:00", "10:00", "11:00", "12:00", "13:00"}; !slices.Equal(line.Times, want) {
		t.Errorf("got the times %q, want %q", line.Times, want)
	}
	if len(line.Bars) != 2 || line.Bars[0].X != "625" || line.Bars[0].W != "250" || line.Bars[1].X != "0" {
		t.Errorf("got the bars %+v", line.Bars)
	}
	if none := newTimeline(nil, noon); none.Title != "Tokens of the last 24 hours" || none.Height != rowHeight {
		t.Errorf("without tokens: got %+v", none)
	}
}
