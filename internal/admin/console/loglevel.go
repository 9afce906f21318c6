package console

import (
	"slices"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// logLevelPath is the path below /console/ of the form for the level of the log.
const logLevelPath = "log-level"

// logLevelBody is the form that changes the level of the log.
type logLevelBody struct {
	admin.LogLevel
	To      string // the value of one of Levels
	For     string // the value of one of Times
	Levels  []choice
	Times   []choice
	AsIsSet bool // Level is that of the settings, without an end
}

// levelSetting stands for the level of the settings.
const levelSetting = "setting"

// levels are the levels that can be chosen, levelTimes the durations.
var (
	levels = []choice{
		{"debug", "Debug: also what helps to find an error"}, {"info", "Info: also each request"},
		{"warn", "Warn: what may need attention, and errors"}, {"error", "Error: errors only"}, {levelSetting, "As in the settings of each replica"},
	}
	levelTimes = []choice{{"15m", "15 minutes"}, {"1h", "1 hour"}, {"24h", "1 day"}, {untilRestart, "Until the broker restarts"}}
)

// untilRestart is the choice of levelTimes that is not a duration.
const untilRestart = "restart"

var errLevelTime = fault.New(fault.Unprocessable, "invalid_duration", "Choose one of the durations.").
	At(fault.Field{Pointer: "/for", Detail: "must be one of the choices"})

// logLevelForm shows the form.
func (h *Handler) logLevelForm(request) (reply, error) {
	return h.logLevelPage(logLevelBody{To: "debug", For: "15m"}), nil
}

func (h *Handler) logLevelPage(b logLevelBody) reply {
	b.LogLevel, b.Levels, b.Times = h.Admin.Levels.LogLevel(), levels, levelTimes
	b.AsIsSet = b.Level == b.Setting && b.Until.IsZero()
	return reply{page: "log-level", title: "Level of the log", body: b}
}

// setLogLevel changes the level of the log, or shows the form again with an error.
func (h *Handler) setLogLevel(r request) (reply, error) {
	form := httpapi.FormParams(r.PostForm)
	b := logLevelBody{To: form.Text("level"), For: form.Text("for")}
	to, until, err := b.choices(r.now)
	if err != nil {
		return h.logLevelPage(b), err
	}
	_, reach, err := h.Admin.SetLogLevel(r.Context(), to, until)
	if err != nil {
		return h.logLevelPage(b), err
	}
	done := logLevelSet
	if reach == admin.ThisReplica {
		done = logLevelSetHere
	}
	return reply{redirect: home + logLevelPath, notice: actionResult{action: done}}, nil
}

// choices returns what was chosen, in the form of admin.Service.SetLogLevel.
func (b logLevelBody) choices(now time.Time) (level string, until time.Time, err error) {
	switch {
	case b.To == levelSetting:
		return "", time.Time{}, nil
	case b.To == "":
		return "", time.Time{}, admin.ErrLevel
	case b.For == untilRestart:
		return b.To, time.Time{}, nil
	case !slices.ContainsFunc(levelTimes, func(c choice) bool { return c.Value == b.For }):
		return "", time.Time{}, errLevelTime
	}
	d, err := time.ParseDuration(b.For)
	return b.To, now.Add(d), err
}
