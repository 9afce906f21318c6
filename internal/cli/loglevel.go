package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// levelOfSettings is the argument for the level that each broker's settings have.
const levelOfSettings = "setting"

var errUntilLevel = usageError{errors.New("--until is only for a level that is not that of the settings")}

type logLevelCommand struct {
	Level string      `arg:"" optional:"" enum:",debug,info,warn,error,setting" default:"" help:"debug, info, warn, error, or setting for that of the settings (log.level). Without, the level in force is printed."`
	Until *futureTime `placeholder:"TIME" help:"Until when: 2026-04-01T10:00:00Z, or 30m for 30 minutes from now; 7 days at most. Without, until the broker restarts or gets SIGHUP."`
	actionFlags
}

// logLevel is the level of the log in a broker's answer.
type logLevel struct {
	Level    string     `json:"level"`
	Setting  string     `json:"setting"`
	Until    *time.Time `json:"until"`
	Replicas string     `json:"replicas"`
}

// Run prints the level, or changes it.
func (c logLevelCommand) Run(ctx context.Context, t *Terminal) error {
	if c.Until != nil && (c.Level == "" || c.Level == levelOfSettings) {
		return errUntilLevel
	}
	return c.signedIn(ctx, t, func(b *client) error {
		method, body := c.request()
		answer, err := b.ask(ctx, method, "/admin/v1/log-level", body)
		var l logLevel
		if err == nil {
			l, err = readLogLevel(answer, method)
		}
		if method != http.MethodGet && errors.As(err, new(formError)) {
			return fmt.Errorf("the request may or may not have been carried out: %w; check with broker log-level", err)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printLine(t.Out, answer)
		}
		_, err = fmt.Fprint(t.Out, l.text())
		return err
	})
}

// request returns the method and the body of the request.
func (c logLevelCommand) request() (method string, body any) {
	switch {
	case c.Level == "":
		return http.MethodGet, nil
	case c.Level == levelOfSettings:
		return http.MethodDelete, nil
	case c.Until == nil:
		return http.MethodPut, map[string]any{"level": c.Level}
	}
	return http.MethodPut, struct {
		Level string    `json:"level"`
		Until time.Time `json:"until"`
	}{c.Level, time.Time(*c.Until).UTC()}
}

func readLogLevel(answer jsontext.Value, method string) (l logLevel, err error) {
	if err := json.Unmarshal(answer, &l); err != nil || l.Level == "" || (method != http.MethodGet) != (l.Replicas != "") {
		return l, formError{errors.Join(err, errors.New("it does not say what the level of the log is"))}
	}
	return l, nil
}

// text returns l for people, without control characters.
func (l logLevel) text() string {
	text := l.Level
	switch {
	case l.Until != nil:
		text += ", until " + formatTime(*l.Until) + ", then " + l.Setting
	case l.Level != l.Setting:
		text += ", until the broker restarts or gets SIGHUP, then " + l.Setting
	}
	text += "\n"
	switch l.Replicas {
	case "all":
		text += "It was sent to all replicas; one that has lost Redis at the moment, or starts later, does not know.\n"
	case "this":
		text += "Only the replica that answered knows: there is no Redis that reaches the others.\n"
	}
	return strings.Map(printableLines, text)
}
