package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// sum is what calls have cost, in a broker's answer.
type sum struct {
	Name     string `json:"name"`
	Day      string `json:"day"`
	Feature  string `json:"feature"`
	Calls    int64  `json:"calls"`
	Failures int64  `json:"failures"`
	Credits  string `json:"credits"`
}

func (s sum) cells() []string {
	return []string{s.Name, strconv.FormatInt(s.Calls, 10), strconv.FormatInt(s.Failures, 10), s.Credits}
}

func (s sum) dayCells() []string { return append([]string{s.Day, s.Feature}, s.cells()[1:]...) }

type usageCommand struct {
	brokerFlags
	By string `enum:"feature,day,app,key,user" default:"feature" help:"What to add up by: feature, day, app, key (of the vendor's API) or user (the costliest)."`
	period
	Users int  `default:"10" help:"How many of the costliest users: 1 to 100."`
	JSON  bool `help:"Print the broker's answer as JSON, for scripts: everything, whatever --by."`
}

// Help explains the numbers.
func (usageCommand) Help() string {
	return "Calls through the gateway that have ended, in whole days of UTC; by default of the last 30 days. Credits are the vendor's."
}

// errNoList is the reason for a formError.
var errNoList = errors.New("a list is missing")

// Run prints what the calls through the gateway have cost.
func (c usageCommand) Run(ctx context.Context, t *Terminal) error {
	q := url.Values{"limit": {strconv.Itoa(c.Users)}}
	c.addTo(q)
	return c.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodGet, "/admin/v1/usage?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		members := map[string]string{"feature": "features", "day": "days", "app": "apps", "key": "keys", "user": "users"}
		if c.By == "day" {
			return printMember(t, answer, c.JSON, members[c.By], "DAY FEATURE CALLS FAILURES CREDITS", sum.dayCells)
		}
		return printMember(t, answer, c.JSON, members[c.By], strings.ToUpper(c.By)+" CALLS FAILURES CREDITS", sum.cells)
	})
}

type compareUsageCommand struct {
	actionFlags
	Day string `placeholder:"2026-04-01" help:"A day of UTC that is over; the past one if it is missing."`
}

// compared is a line of a comparison in a broker's answer.
type compared struct {
	Feature       string `json:"feature"`
	Calls         int64  `json:"calls"`
	UnsureCalls   int64  `json:"unsure_calls"`
	Credits       string `json:"credits"`
	UnsureCredits string `json:"unsure_credits"`
	VendorCalls   int64  `json:"vendor_calls"`
	VendorCredits string `json:"vendor_credits"`
	Differs       bool   `json:"differs"`
}

func (c compared) cells() []string {
	return []string{
		either(c.Feature == "", "all", c.Feature), either(c.Differs, "yes", "no"), strconv.FormatInt(c.Calls, 10), strconv.FormatInt(c.UnsureCalls, 10),
		strconv.FormatInt(c.VendorCalls, 10), c.Credits, c.UnsureCredits, c.VendorCredits,
	}
}

// Help explains the columns.
func (compareUsageCommand) Help() string {
	return "UNSURE are calls that the vendor's usage may or may not have: it did not answer them, or refused the API key. " +
		"A difference is no error of this command."
}

// Run has the broker compare a day with the vendor's usage, and prints the result.
func (c compareUsageCommand) Run(ctx context.Context, t *Terminal) error {
	body := map[string]string{}
	if c.Day != "" {
		body["day"] = c.Day
	}
	return c.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodPost, "/admin/v1/usage/compare", body)
		if err != nil {
			return err
		}
		return printMember(t, answer, c.JSON, "features", "FEATURE DIFFERS CALLS UNSURE VENDOR-CALLS CREDITS UNSURE VENDOR-CREDITS", compared.cells)
	})
}

type budgetsCommand struct {
	brokerFlags
	JSON bool `help:"Print the broker's answer as JSON, for scripts, with the raises in force."`
}

// budgetState is a budget in a broker's answer.
type budgetState struct {
	Name      string    `json:"name"`
	Scope     string    `json:"scope"`
	App       string    `json:"app"`
	Period    string    `json:"period"`
	Credits   string    `json:"credits"`
	Soft      bool      `json:"soft"`
	Most      string    `json:"most"`
	Holders   int64     `json:"holders"`
	Exhausted int64     `json:"exhausted"`
	RenewsAt  time.Time `json:"renews_at"`
}

func (b budgetState) cells() []string {
	return []string{
		b.Name, strings.TrimSuffix(b.Scope+" "+b.App, " "), b.Period, either(b.Soft, "soft", "hard"), b.Credits, b.Most,
		fmt.Sprintf("%d of %d", b.Exhausted, b.Holders), formatTime(b.RenewsAt),
	}
}

// Help explains the columns.
func (budgetsCommand) Help() string {
	return "MOST is what the user or app has used that has used most; EXHAUSTED how many have used all of theirs."
}

// Run prints the budgets.
func (c budgetsCommand) Run(ctx context.Context, t *Terminal) error {
	return c.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodGet, "/admin/v1/budgets", nil)
		if err != nil {
			return err
		}
		return printMember(t, answer, c.JSON, "budgets", "BUDGET SCOPE PERIOD KIND CREDITS MOST EXHAUSTED RENEWS", budgetState.cells)
	})
}

type raiseCommand struct {
	Budget  name       `arg:"" help:"The budget, as in the settings."`
	Credits string     `required:"" placeholder:"5" help:"By how many credits."`
	Until   futureTime `required:"" placeholder:"TIME" help:"Until when: 2026-04-01T10:00:00Z, or 2h for two hours from now."`
	User    name       `placeholder:"app:42" help:"Whose, of a budget that each user has."`
	App     name       `placeholder:"NAME" help:"Whose, of a budget that each app has."`
	actionFlags
}

// Run makes a budget larger for a while.
func (c raiseCommand) Run(ctx context.Context, t *Terminal) error {
	body := struct {
		Credits string    `json:"credits"`
		Until   time.Time `json:"until"`
		Subject string    `json:"subject,omitempty"`
		App     string    `json:"app,omitempty"`
	}{c.Credits, time.Time(c.Until).UTC(), string(c.User), string(c.App)}
	return c.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodPost, "/admin/v1/budgets/"+c.Budget.escaped()+"/raise", body)
		var raised raisedBudget
		if err == nil {
			raised, err = readRaised(answer, string(c.Budget))
		}
		if errors.As(err, new(formError)) {
			return fmt.Errorf("the request may or may not have been carried out: %w; check with broker budgets --json", err)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printLine(t.Out, answer)
		}
		_, err = fmt.Fprintf(t.Out, "%s is larger by %s credits until %s.\n", strings.Map(printable, raised.Budget),
			strings.Map(printable, raised.Credits), formatTime(raised.Until))
		return err
	})
}

// raisedBudget is a raise in a broker's answer.
type raisedBudget struct {
	Budget  string    `json:"budget"`
	Credits string    `json:"credits"`
	Until   time.Time `json:"until"`
}

// readRaised reads the answer to a raise of budget. It fails with a formError for any other
// answer.
func readRaised(answer jsontext.Value, budget string) (r raisedBudget, err error) {
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, formError{err}
	}
	if r.Budget != budget {
		return r, formError{errors.New("it is not about this budget")}
	}
	return r, nil
}
