package config

import (
	"fmt"
	"slices"

	"casbroker/internal/check"
	"casbroker/internal/secret"
)

// Webhooks configures where events are sent.
type Webhooks struct {
	AllowPrivate []string  `yaml:"allow_private"` // networks (CIDR) and hosts
	Endpoints    []Webhook `yaml:"endpoints"`
}

// Webhook is an endpoint of events.
type Webhook struct {
	Name           string      `yaml:"name"`
	URL            secret.Text `yaml:"url"` // its path or query may be a secret
	Secrets        []Secret    `yaml:"secrets"`
	Ed25519Key     secret.Text `yaml:"ed25519_key"` // "whsk_…", "" for none
	Ed25519KeyFile string      `yaml:"ed25519_key_file"`
	Events         []string    `yaml:"events"` // none means all
}

func (w Webhooks) validate(wrong *check.Errors) {
	for i, e := range w.Endpoints {
		key := fmt.Sprintf("webhooks.endpoints[%d]", i)
		twice := slices.ContainsFunc(w.Endpoints[:i], func(other Webhook) bool { return other.Name == e.Name })
		wrong.Require(!twice, key+".name", "%q is used twice", e.Name)
		wrong.Require(e.Ed25519Key == "" || e.Ed25519KeyFile == "", key+".ed25519_key_file", "set this or ed25519_key, not both")
		for n, s := range e.Secrets {
			wrong.Require(s.Secret == "" || s.SecretFile == "", fmt.Sprintf("%s.secrets[%d].secret_file", key, n), "set this or secret, not both")
		}
	}
}
