package admin

import (
	"context"
	"net/http"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// maxLevelTime is the longest time for which an operator can choose the level of the log.
const maxLevelTime = 7 * 24 * time.Hour

var (
	// ErrLevel is returned for a level that does not exist.
	ErrLevel = fault.New(fault.Unprocessable, "invalid_level", "level must be debug, info, warn or error.").
			At(fault.Field{Pointer: "/level", Detail: "must be debug, info, warn or error"})
	errLevelUntil = fault.New(fault.Unprocessable, "invalid_until",
		"until must be a time such as 2036-04-01T10:00:00Z, within the next 7 days; leave it out for no end.").
		At(fault.Field{Pointer: "/until", Detail: "must be a time within the next 7 days"})
)

// LogLevels changes the level of the log.
type LogLevels interface {
	// LogLevel returns the level of this replica.
	LogLevel() LogLevel
	// SetLogLevel has this replica, and all others that it can reach, log from level on for d, 0
	// meaning without an end. level "" is that of the settings of each.
	SetLogLevel(ctx context.Context, level string, d time.Duration) (LogLevel, Reach)
}

// LogLevel is the level of the log of a replica, such as "debug".
type LogLevel struct {
	Level   string    `json:"level"`
	Setting string    `json:"setting"`        // of log.level
	Until   time.Time `json:"until,omitzero"` // when Setting is in force again; zero if that has no end
}

// Reach is which replicas a change was made on.
type Reach string

// Where a change was made. Replicas that Redis does not reach at the moment miss it.
const (
	AllReplicas Reach = "all"
	ThisReplica Reach = "this"
)

// SetLogLevel has replicas log from level on until the given time, the zero time meaning no end;
// level "" is that of the settings.
func (s *Service) SetLogLevel(ctx context.Context, level string, until time.Time) (LogLevel, Reach, error) {
	switch level {
	case "", "debug", "info", "warn", "error":
	default:
		return LogLevel{}, "", ErrLevel
	}
	r := audit.New(ctx, s.Now(), auth.From(ctx).Subject, audit.LogLevel, "", level)
	if level == "" {
		r.Object = "setting"
	}
	var d time.Duration
	if !until.IsZero() {
		if d = until.Sub(s.Now()); d < time.Millisecond || d > maxLevelTime {
			return LogLevel{}, "", errLevelUntil
		}
		r = r.WithDetail("until " + until.UTC().Format(time.RFC3339))
	}
	if err := s.Trail.Store.Append(ctx, r); err != nil {
		return LogLevel{}, "", err
	}
	state, reach := s.Levels.SetLogLevel(ctx, level, d)
	return state, reach, nil
}

// readLogLevel reads a request to change the level of the log.
func readLogLevel(w http.ResponseWriter, r *http.Request) (level string, until time.Time, err error) {
	req, err := read[struct {
		Level string     `json:"level"`
		Until *time.Time `json:"until"`
	}](w, r, `{"level": "debug", "until": "2036-04-01T10:00:00Z"}`)
	switch {
	case httpapi.IsTypeError(err, "/level"):
		return "", until, ErrLevel
	case httpapi.IsTypeError(err, "/until"):
		return "", until, errLevelUntil
	case err != nil:
		return "", until, err
	}
	switch {
	case req.Level == "": // it would be that of the settings
		return "", until, ErrLevel
	case req.Until == nil:
		return req.Level, until, nil
	case req.Until.IsZero(): // it must not become a level without an end
		return "", until, errLevelUntil
	default:
		return req.Level, *req.Until, nil
	}
}
