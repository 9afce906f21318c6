package console

import (
	"slices"
	"strings"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/httpapi"
)

// raiseBody is the form that makes a budget larger for a while.
type raiseBody struct {
	Budget  budget.State
	Apps    []string // that may be chosen
	Credits string
	Until   string
	Subject string
	App     string
}

// raisePath is the path below /console/ of the form for the budget :key.
const raisePath = "budgets/:key/raise"

// raiseForm shows the form.
func (h *Handler) raiseForm(r request) (reply, error) {
	until := formatInput(r.now.Add(24*time.Hour + time.Minute - 1).Truncate(time.Minute))
	return h.raisePage(r, raiseBody{Until: until})
}

func (h *Handler) raisePage(r request, b raiseBody) (reply, error) {
	list, err := h.Admin.BudgetStates(r.Context())
	if err != nil {
		return reply{}, err
	}
	i := slices.IndexFunc(list.Budgets, func(s budget.State) bool { return s.Name == r.key })
	if i < 0 {
		return reply{}, budget.ErrNoBudget
	}
	b.Budget = list.Budgets[i]
	if b.Budget.Scope == budget.App && b.Budget.App == "" {
		b.Apps = h.Admin.Budgets.Apps
	}
	return reply{page: "raise", title: "Raise a budget", body: b}, nil
}

// raise makes a budget larger, or shows the form again with an error.
func (h *Handler) raise(r request) (reply, error) {
	form := httpapi.FormParams(r.PostForm)
	b := raiseBody{
		Credits: strings.TrimSpace(form.Text("credits")), Until: form.Text("until"),
		Subject: strings.TrimSpace(form.Text("subject")), App: form.Text("app"),
	}
	until := readTime(form, "until")
	amount, err := credit.Parse(b.Credits)
	if err != nil {
		form.Fail(budget.ErrCredits)
	}
	err = form.Err()
	if err == nil {
		_, err = h.Admin.RaiseBudget(r.Context(), budget.Raise{Budget: r.key, Credits: amount, Until: until, Subject: b.Subject, App: b.App})
	}
	if err == nil {
		return reply{redirect: home + "usage", notice: actionResult{action: budgetRaised}}, nil
	}
	page, pageErr := h.raisePage(r, b)
	if pageErr != nil {
		return reply{}, pageErr
	}
	return page, err
}

// PerUser reports whether each user has a budget of its own.
func (b raiseBody) PerUser() bool { return b.Budget.Scope == budget.User }
