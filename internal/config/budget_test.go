package config_test

import (
	"slices"
	"strings"
	"testing"

	"casbroker/internal/config"
)

func TestBudgetsComeFromTheFileAndTheEnvironment(t *testing.T) {
	t.Parallel()
	file := write(t, "budgets:\n  - {name: user-day, scope: user, period: day, credits: 5}\n  - {name: all, scope: all, period: month, credits: 100.25, soft: true}\n")
	c, err := config.Load(config.Default(), file, []string{
		"CASBROKER_BUDGETS_0_CREDITS=0.2", "CASBROKER_BUDGETS_2_NAME=apps", "CASBROKER_BUDGETS_2_SCOPE=app",
		"CASBROKER_BUDGETS_2_PERIOD=month", "CASBROKER_BUDGETS_2_CREDITS=7",
	})
	want := []config.Budget{
		{Name: "user-day", Scope: config.ScopeUser, Period: config.PeriodDay, Credits: 200},
		{Name: "all", Scope: config.ScopeAll, Period: config.PeriodMonth, Credits: 100_250, Soft: true},
		{Name: "apps", Scope: config.ScopeApp, Period: config.PeriodMonth, Credits: 7000},
	}
	if err != nil || !slices.Equal(c.Budgets, want) {
		t.Errorf("got %+v, %v, want %+v", c.Budgets, err, want)
	}
	if i := slices.IndexFunc(c.List(), func(e config.Entry) bool { return e.Key == "budgets[1].credits" && e.Value == "100.25" }); i < 0 {
		t.Errorf("the list of settings lacks the credits: %+v", c.List())
	}
}

func TestEveryInvalidBudgetIsReported(t *testing.T) {
	t.Parallel()
	good := config.Budget{Name: "good", Scope: config.ScopeApp, App: "app", Period: config.PeriodDay, Credits: 1}
	c := valid()
	c.Token.Mode, c.Auth.Verifiers = config.ModeBoth, []config.Verifier{{Name: "app"}}
	c.Budgets = []config.Budget{good}
	if err := c.Validate(); err != nil {
		t.Errorf("got %v for a valid budget", err)
	}
	file := write(t, `budgets:
  - {name: Bad Name, scope: team, period: week, credits: many}
  - {name: good, scope: all, app: app, period: day, credits: 0}
  - {name: good, scope: user, app: other, period: month, credits: -1}
  - {name: "", scope: user, period: day, credits: 1.2345}
`)
	c, err := config.Load(c, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Validate()
	for _, key := range []string{
		"budgets[0].name", "budgets[0].scope", "budgets[0].period", "budgets[0].credits", "budgets[1].app", "budgets[1].credits",
		"budgets[2].name", "budgets[2].app", "budgets[2].credits", "budgets[3].name", "budgets[3].credits",
	} {
		if err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("%s is not reported in %v", key, err)
		}
	}
	if err != nil && strings.Count(err.Error(), "\n") != 10 {
		t.Errorf("got %v, want 11 errors", err)
	}
}
