package telemetry_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/telemetry"
)

func TestLevelFallsBackToTheSettingAfterItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l telemetry.Level
		ended := 0
		want := func(level slog.Level, ends int) {
			t.Helper()
			synctest.Wait()
			if l.Level() != level || ended != ends {
				t.Fatalf("got level %v, ended %d times, want %v, %d", l.Level(), ended, level, ends)
			}
		}
		l.Use(slog.LevelInfo)
		l.Override(slog.LevelDebug, time.Minute, func() { ended++ })
		<-time.After(59 * time.Second)
		want(slog.LevelDebug, 0)
		if s := l.State(); s.Level != "debug" || s.Setting != "info" || time.Until(s.Until) != time.Second {
			t.Errorf("got %+v", s)
		}
		<-time.After(time.Second)
		want(slog.LevelInfo, 1)
		if s := l.State(); s != (telemetry.LevelState{Level: "info", Setting: "info"}) {
			t.Errorf("got %+v after the end", s)
		}
	})
}

func TestOnlyTheLastLevelCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l telemetry.Level
		ended := 0
		end := func() { ended++ }
		l.Use(slog.LevelInfo)
		l.Override(slog.LevelDebug, time.Minute, end)
		l.Override(slog.LevelError, 0, end) // without an end
		<-time.After(time.Hour)
		if l.Level() != slog.LevelError {
			t.Errorf("got %v, want that the end of an earlier level does not count", l.Level())
		}
		l.Override(slog.LevelDebug, time.Minute, end)
		l.Use(slog.LevelWarn)
		<-time.After(time.Hour)
		if s := l.State(); l.Level() != slog.LevelWarn || s.Setting != "warn" || !s.Until.IsZero() {
			t.Errorf("got %+v, want the new setting", s)
		}
		l.Override(slog.LevelDebug, time.Minute, end)
		l.Reset()
		<-time.After(time.Hour)
		if l.Level() != slog.LevelWarn || ended != 0 {
			t.Errorf("got %v, %d ends, want warn, none", l.Level(), ended)
		}
	})
}
