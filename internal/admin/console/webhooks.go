package console

import (
	"net/url"
	"slices"
	"strings"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
	"casbroker/internal/webhook"
)

// webhookURL returns the URL of the page of a webhook.
func webhookURL(name string) string { return home + "webhooks/" + url.PathEscape(name) }

// webhooksBody lists the webhooks.
type webhooksBody struct{ Webhooks []webhook.EndpointState }

// webhooks lists the webhooks.
func (h *Handler) webhooks(r request) (reply, error) {
	list, err := h.Admin.WebhookStates(r.Context())
	return reply{page: "webhooks", title: "Webhooks", body: webhooksBody{list}}, err
}

// webhookBody is one webhook, with what was sent to it.
type webhookBody struct {
	webhook.EndpointState
	Filter         string // state of the deliveries shown; "" for all
	Deliveries     []webhook.DeliveryState
	First, Next    string // URLs; First is "" on the first page, Next on the last
	EventID, Since string // of the form, as entered
	Tested         *webhook.Result
	Secret         secret.Text // that was added just now; "" for none
}

// OfSettings reports whether the webhook is in the settings file.
func (b webhookBody) OfSettings() bool { return b.Source == webhook.FromSettings }

// NewSecret is the secret that was added, which no later page shows.
func (b webhookBody) NewSecret() string { return b.Secret.Reveal() }

// webhook shows one webhook.
func (h *Handler) webhook(r request) (reply, error) { return h.webhookPage(r, webhookBody{}) }

// webhookPage returns the page of the webhook of r, which completes b.
func (h *Handler) webhookPage(r request, b webhookBody) (reply, error) {
	list, err := h.Admin.WebhookStates(r.Context())
	if err != nil {
		return reply{}, err
	}
	i := slices.IndexFunc(list, func(e webhook.EndpointState) bool { return e.Name == r.key })
	if i < 0 {
		return reply{}, webhook.ErrNoEndpoint
	}
	b.EndpointState = list[i]
	q := r.URL.Query()
	b.Filter = q.Get("state")
	page := reply{page: "webhook", title: "Webhook " + b.Name, body: b}
	found, next, err := h.Admin.Deliveries(r.Context(), b.Name, webhook.State(b.Filter), q.Get("cursor"), pageSize)
	if err != nil {
		return page, err
	}
	b.Deliveries = found
	at := func(cursor string) string { return withQuery(webhookURL(b.Name), "state", b.Filter, "cursor", cursor) }
	if q.Get("cursor") != "" {
		b.First = at("")
	}
	if next != "" {
		b.Next = at(next)
	}
	page.body = b
	return page, nil
}

// testWebhook sends a test message and shows the answer.
func (h *Handler) testWebhook(r request) (reply, error) {
	result, err := h.Admin.TestWebhook(r.Context(), r.key)
	if err != nil {
		return reply{}, err
	}
	return h.webhookPage(r, webhookBody{Tested: &result})
}

// enableWebhook enables or disables a webhook.
func (h *Handler) enableWebhook(enable bool) pageFunc {
	done := webhookDisabled
	if enable {
		done = webhookEnabled
	}
	return func(r request) (reply, error) {
		return reply{redirect: webhookURL(r.key), notice: actionResult{action: done}}, h.Admin.EnableWebhook(r.Context(), r.key, enable)
	}
}

// replayWebhook has one event, or all since a time, sent again, or shows the form again with
// an error.
func (h *Handler) replayWebhook(r request) (reply, error) {
	form := httpapi.FormParams(r.PostForm)
	b := webhookBody{EventID: strings.TrimSpace(form.Text("event_id")), Since: strings.TrimSpace(form.Text("since"))}
	since := readTime(form, "since")
	err := form.Err()
	n := 0
	if err == nil {
		n, err = h.Admin.ReplayWebhook(r.Context(), r.key, b.EventID, since)
	}
	if err == nil {
		return reply{redirect: webhookURL(r.key), notice: actionResult{action: webhookReplayed, already: n == 0}}, nil
	}
	page, pageErr := h.webhookPage(r, b)
	if pageErr != nil {
		return reply{}, pageErr
	}
	return page, err
}

// addWebhookSecret adds a secret to a webhook and shows it, once.
func (h *Handler) addWebhookSecret(r request) (reply, error) {
	added, err := h.Admin.Webhooks.AddSecret(r.Context(), auth.From(r.Context()).Subject, r.key)
	if err != nil {
		return reply{}, err
	}
	return h.webhookPage(r, webhookBody{Secret: added})
}
