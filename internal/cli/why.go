package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

type whyCommand struct {
	RequestID name `arg:"" name:"request-id" help:"The request_id of an answer or of the log, also in the header X-Request-ID."`
	JSON      bool `help:"Print the broker's answer as JSON, for scripts."`
	brokerFlags
}

// errNotRecorded is returned after it was said that nothing is recorded of a request.
var errNotRecorded = errors.New("nothing is recorded of the request")

// explanation is what a broker knows of a request.
type explanation struct {
	RequestID string `json:"request_id"`
	Known     *bool  `json:"known"`
	Note      string `json:"note"`
	Findings  []struct {
		At      time.Time `json:"at"`
		Result  string    `json:"result"`
		What    string    `json:"what"`
		Subject string    `json:"subject"`
		Code    string    `json:"code"`
		Reason  string    `json:"reason"`
		Why     string    `json:"why"`
		Remedy  string    `json:"remedy"`
	} `json:"findings"`
}

// Run prints what the broker knows of the request; the broker records that it was asked.
func (c whyCommand) Run(ctx context.Context, t *Terminal) error {
	return c.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodGet, "/admin/v1/requests/"+c.RequestID.escaped(), nil)
		if err != nil {
			return err
		}
		var e explanation
		if err := json.Unmarshal(answer, &e); err != nil || e.Known == nil || e.RequestID != string(c.RequestID) {
			return formError{errors.Join(err, errors.New("it does not say what is known of the request"))}
		}
		if c.JSON {
			err = printLine(t.Out, answer)
		} else {
			_, err = fmt.Fprint(t.Out, e.text())
		}
		if err == nil && !*e.Known {
			err = errNotRecorded
		}
		return err
	})
}

// text returns e for people, without control characters.
func (e explanation) text() string {
	if !*e.Known {
		return strings.Map(printable, e.Note) + "\n"
	}
	var text strings.Builder
	for _, f := range e.Findings {
		line := formatTime(f.At) + " " + f.Result + ": " + f.What
		if f.Subject != "" {
			line += " of " + f.Subject
		}
		if f.Code != "" {
			line += " (" + strings.TrimSuffix(f.Code+", "+f.Reason, ", ") + ")"
		}
		text.WriteString(strings.Map(printable, line) + "\n  " + strings.Map(printable, f.Why) + "\n")
		if f.Remedy != "" {
			text.WriteString("  To do: " + strings.Map(printable, f.Remedy) + "\n")
		}
	}
	return text.String()
}
