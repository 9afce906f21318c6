package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

type linkCommand struct {
	User      name          `required:"" placeholder:"app:42" help:"The user who imports with it."`
	TTL       time.Duration `name:"ttl" default:"24h" help:"How long it is valid: 10m to 168h."`
	Once      bool          `help:"It works in one browser only, and within an hour there; without this, in any browser until a statement was saved."`
	ReturnURL string        `name:"return-url" placeholder:"URL" help:"Where the person goes at the end; the broker's link.return_urls must allow it."`
	Language  string        `enum:"en,hi" default:"en" help:"The language of the page at first: en or hi."`
	JSON      bool          `help:"Print the broker's answer as JSON, for scripts."`
	URL       name          `name:"url" placeholder:"URL" help:"The running broker, such as https://broker.example; or set BROKER_URL."`
	KeyFile   name          `name:"key-file" placeholder:"FILE" help:"A file with a service key (scope token:write); or set BROKER_SERVICE_KEY_FILE or BROKER_SERVICE_KEY."`
}

// Help says what to do with the output.
func (linkCommand) Help() string {
	return "The first line is the URL, which cannot be shown again: whoever has it can import for the user."
}

// Run makes a hosted link.
func (c linkCommand) Run(ctx context.Context, t *Terminal) error {
	base, err := brokerFlags{URL: c.URL}.base(t)
	if err != nil {
		return err
	}
	key, err := serviceKey(t, c.KeyFile, "token:write")
	if err != nil {
		return err
	}
	b := &client{base: strings.TrimRight(base.String(), "/"), http: newHTTPClient(base.Scheme), key: key}
	defer b.http.CloseIdleConnections()
	body := map[string]any{
		"expires_in": int(c.TTL.Round(time.Second).Seconds()), "use": either(c.Once, "once", "until_saved"), "language": c.Language,
	}
	if c.ReturnURL != "" {
		body["return_url"] = c.ReturnURL
	}
	answer, err := b.ask(ctx, http.MethodPost, "/v1/users/"+c.User.escaped()+"/links", body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printObject(t, answer)
	}
	var made struct {
		ID        string    `json:"id"`
		URL       string    `json:"url"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.URL == "" {
		return formError{fmt.Errorf("it has no link: %w", err)}
	}
	text := fmt.Sprintf("%s\n%s for %s works until %s, %s.", made.URL, made.ID, c.User, formatTime(made.ExpiresAt),
		either(c.Once, "in one browser", "or until a statement was saved"))
	_, err = fmt.Fprintln(t.Out, strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return printable(r)
	}, text))
	return err
}
