package app

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/cache"
	"casbroker/internal/telemetry"
)

// levelTopic is the topic on which replicas tell each other that an operator changed the level of
// the log.
const levelTopic = "log-level"

// levelSlack is how much later a replica's own message may come back to it.
const levelSlack = time.Second

// logLevels changes the level of the log of all replicas. Its messages have milliseconds, a space
// and the level; both are empty for that of the settings. All replicas, also the one that sent
// it, follow the messages in the order of Redis, so that they end with the same level.
type logLevels struct {
	level   *telemetry.Level
	pubsub  access.PubSub
	alone   bool // there is no Redis to reach other replicas with
	log     *slog.Logger
	running context.Context //nolint:containedctx // ends with the program
	all     sync.WaitGroup
}

func newLogLevels(running context.Context, level *telemetry.Level, shared cache.Cache, log *slog.Logger) *logLevels {
	_, alone := shared.(*cache.Memory)
	return &logLevels{level: level, pubsub: shared, alone: alone, log: log, running: running}
}

// LogLevel implements admin.LogLevels.
func (l *logLevels) LogLevel() admin.LogLevel {
	s := l.level.State()
	return admin.LogLevel{Level: s.Level, Setting: s.Setting, Until: s.Until.UTC().Truncate(time.Millisecond)}
}

// SetLogLevel implements admin.LogLevels.
func (l *logLevels) SetLogLevel(ctx context.Context, level string, d time.Duration) (admin.LogLevel, admin.Reach) {
	message := ""
	if level != "" {
		message = strconv.FormatInt(d.Milliseconds(), 10) + " " + level
	}
	l.follow(message)
	reach := admin.AllReplicas
	if l.alone {
		reach = admin.ThisReplica
	} else if err := l.pubsub.Publish(context.WithoutCancel(ctx), levelTopic, "set "+message); err != nil {
		l.log.WarnContext(ctx, "other replicas do not know the new level of the log", "error", err)
		reach = admin.ThisReplica
	}
	return l.LogLevel(), reach
}

// follow does what message says, unless that is so already.
func (l *logLevels) follow(message string) {
	ms, name, _ := strings.Cut(message, " ")
	n, err := strconv.ParseUint(ms, 10, 31)
	d, s := time.Duration(n)*time.Millisecond, l.level.State()
	var level slog.Level
	switch {
	case message == "":
		if s.Level != s.Setting || !s.Until.IsZero() {
			l.change(l.level.Reset, "setting", 0)
		}
	case err == nil && level.UnmarshalText([]byte(name)) == nil:
		if s.Level != name || !endsIn(s.Until, d) {
			l.change(func() { l.level.Override(level, d, l.ended) }, name, d)
		}
	}
}

// endsIn reports whether until is about d from now, or never if d is 0.
func endsIn(until time.Time, d time.Duration) bool {
	if until.IsZero() || d == 0 {
		return until.IsZero() && d == 0
	}
	return (time.Until(until) - d).Abs() < levelSlack
}

// change calls do, and logs it at a moment when such a line is logged, if there is one.
func (l *logLevels) change(do func(), level string, d time.Duration) {
	report := func() {
		l.log.Info("an operator changes the level of the log", "level", level, "for", d.String())
	}
	before := l.log.Enabled(l.running, slog.LevelInfo)
	if before {
		report()
	}
	do()
	if !before {
		report()
	}
}

func (l *logLevels) ended() {
	l.log.Info("the level of the log is that of the setting again")
}

// followLevels has replicas follow changes made at others, until the program ends.
func (a *App) followLevels(l *logLevels) {
	l.all.Go(func() {
		l.pubsub.Subscribe(l.running, levelTopic, func(message string) {
			if change, ok := strings.CutPrefix(message, "set "); ok { // else it has (re)connected
				l.follow(change)
			}
		})
	})
	a.onClose(func() error {
		a.stop()
		l.all.Wait()
		l.level.Reset() // stops the timer
		return nil
	})
}
