package app

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/apikey"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/telemetry"
)

// readAPIKeys returns the settings with the API keys that are in files.
func readAPIKeys(c config.Upstream) (config.Upstream, error) {
	c.Keys = slices.Clone(c.Keys)
	wrong := []error{readAPIKey(&c.APIKey, c.APIKeyFile, "upstream")}
	for i := range c.Keys {
		k := &c.Keys[i]
		wrong = append(wrong, readAPIKey(&k.APIKey, k.APIKeyFile, fmt.Sprintf("upstream.keys[%d]", i)))
	}
	return c, errors.Join(wrong...)
}

// readAPIKey reads an API key from file, if that is not "". It returns an error if the key
// cannot be one; Validate reports a missing one.
func readAPIKey(value *secret.Text, file, key string) (err error) {
	switch {
	case file != "":
		if *value, err = apikey.ReadFile(file); err != nil {
			return fmt.Errorf("%s.api_key_file: %w", key, err)
		}
	case *value != "":
		if err := apikey.Validate(*value); err != nil {
			return fmt.Errorf("%s.api_key: %w", key, err)
		}
	}
	return nil
}

// newKeys returns the pool of the API keys in the settings. onChange and onHold are those of
// apikey.Options.
func newKeys(
	c config.Config, pacer apikey.Pacer, metrics *telemetry.Metrics, log *slog.Logger, now func() time.Time,
	onChange func(name string, reason apikey.Reason), onHold func(name string, d time.Duration),
) *apikey.Pool {
	o := apikey.Options{
		Pacer: pacer, OnHold: onHold, Queue: c.Gateway.Queue, Log: log, Now: now,
		OnChange: func(name string, reason apikey.Reason) {
			metrics.SetKey(name, string(reason))
			onChange(name, reason)
		},
		OnValue: func(value secret.Text) { telemetry.HideSecret(log, value) },
	}
	o.SwitchAt, _ = config.ParsePercent(c.Upstream.SwitchAt) // Check has found it valid
	if (o.SwitchAt > 0 || c.Server.MetricsAddress != "") && !c.Upstream.OnPremise() {
		o.CreditsEvery = c.Upstream.CreditsEvery
	}
	for _, k := range c.Upstream.AllKeys() {
		o.Keys = append(o.Keys, apikey.Settings{
			Name: k.Name, Value: k.APIKey, File: k.APIKeyFile, Weight: k.Weight, Apps: k.Verifiers, Rate: k.Rate,
		})
	}
	return apikey.New(o)
}

// keyHealth names the API keys that are set aside.
func keyHealth(u config.Upstream, keys []apikey.Status) admin.Component {
	p := admin.Component{Name: "api_keys", State: admin.OK}
	if u.OnPremise() {
		p.State, p.Note = admin.Unused, "The parser runs on premises and takes no API key."
		return p
	}
	var aside []string
	for _, k := range keys {
		if k.Reason != "" {
			aside = append(aside, fmt.Sprintf("%s is set aside since %s: %s; it is tried again at %s.",
				k.Name, k.Since.UTC().Format(time.RFC3339), k.Reason.Text(), k.RetryAt.UTC().Format(time.RFC3339)))
		}
	}
	switch len(aside) {
	case 0:
		return p
	case len(keys):
		p.State = admin.Down
	default:
		p.State = admin.Degraded
	}
	p.Note = strings.Join(aside, " ")
	return p
}
