package telemetry

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Level is the lowest level that is logged: that of the setting, or another one for a while. It
// is safe for concurrent use.
type Level struct {
	current slog.LevelVar

	mu      sync.Mutex
	setting slog.Level
	until   time.Time   // of the other level; zero for no end, and for that of the setting
	timer   *time.Timer // nil if there is no end
	changes int         // so that a timer that fires late ends no later level
}

// Level implements slog.Leveler.
func (l *Level) Level() slog.Level { return l.current.Level() }

// LevelState is the state of a Level. Levels are as in the settings, "debug".
type LevelState struct {
	Level   string
	Setting string
	Until   time.Time // when Setting is in force again; zero if that has no end
}

// State returns the level in force.
func (l *Level) State() LevelState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LevelState{levelName(l.current.Level()), levelName(l.setting), l.until}
}

func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

// Use puts the level of the setting into force and ends any other.
func (l *Level) Use(setting slog.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setting = setting
	l.end()
}

// Reset puts the level of the last setting into force again.
func (l *Level) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
}

// Override puts another level into force for d; 0 means until Use or Reset. If d ends it, ended
// is called.
func (l *Level) Override(level slog.Level, d time.Duration, ended func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
	l.current.Set(level)
	if d <= 0 {
		return
	}
	l.until = time.Now().Add(d)
	change := l.changes
	l.timer = time.AfterFunc(d, func() {
		if l.endIf(change) {
			ended()
		}
	})
}

// endIf ends the level of this change, and reports whether it was in force.
func (l *Level) endIf(change int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changes != change {
		return false
	}
	l.end()
	return true
}

// end puts the setting into force. l.mu must be held.
func (l *Level) end() {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer, l.until = nil, time.Time{}
	l.changes++
	l.current.Set(l.setting)
}
