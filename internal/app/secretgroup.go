package app

import (
	"fmt"
	"log/slog"

	"casbroker/internal/admin/session"
	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/telemetry"
	"casbroker/internal/tracing"
	"casbroker/internal/webhook"
)

// newSecretFiles returns what reads the files of secrets of c again, except those of API keys,
// which package apikey reads. The secrets in c are those that are in use.
func newSecretFiles(c config.Config, callers *auth.Authenticator, operators *session.Service, events *webhook.Service, log *slog.Logger) *secretFiles {
	s := &secretFiles{log: log, problems: map[string]string{}}
	for i, v := range c.Auth.Verifiers {
		s.addVerifier(fmt.Sprintf("auth.verifiers[%d]", i), v, callers)
	}
	for i, k := range c.Auth.ServiceKeys {
		key := fmt.Sprintf("auth.service_keys[%d]", i)
		s.add(func(values []secret.Text) error { return callers.ReplaceServiceKey(k.Name, values[0], values[1]) },
			&secretFile{setting: key + ".hash_file", path: k.HashFile, value: k.Hash, valid: secret.CheckHash},
			&secretFile{setting: key + ".previous_hash_file", path: k.PreviousFile, value: k.PreviousHash, valid: secret.CheckHash, optional: true})
	}
	for i, k := range c.Admin.Keys {
		s.add(func(values []secret.Text) error { return operators.ReplaceKey(k.Name, values[0]) },
			&secretFile{setting: fmt.Sprintf("admin.keys[%d].hash_file", i), path: k.HashFile, value: k.Hash, valid: session.CheckHash})
	}
	for i, e := range events.OfSettings() { // in the order of the settings
		s.addWebhook(fmt.Sprintf("webhooks.endpoints[%d]", i), c.Webhooks.Endpoints[i], e, events)
	}
	return s
}

// addTracing adds the headers that the collector of traces gets.
func (s *secretFiles) addTracing(c config.Tracing, tracer *tracing.Tracer) {
	s.add(func(values []secret.Text) error {
		c.Headers = values[0]
		header, hidden, err := c.Header()
		if err != nil {
			return err
		}
		for _, value := range hidden {
			telemetry.HideSecret(s.log, value)
		}
		tracer.SetHeader(header)
		return nil
	}, &secretFile{setting: "tracing.headers_file", path: c.HeadersFile, value: c.Headers, valid: config.CheckHeaders})
}

// addVerifier adds the secrets, or the public key, of a verifier, whose settings are at key.
func (s *secretFiles) addVerifier(key string, v config.Verifier, callers *auth.Authenticator) {
	replace := func(values []secret.Text) error { return callers.ReplaceSecrets(v.Name, values...) }
	valid := func(value secret.Text) error { return callers.CheckSecret(v.Name, value) }
	var several []*secretFile
	for n, one := range v.Secrets {
		several = append(several, &secretFile{
			setting: fmt.Sprintf("%s.secrets[%d].secret_file", key, n), path: one.SecretFile, value: one.Secret, valid: valid,
		})
	}
	s.add(replace, several...)
	s.add(replace, &secretFile{setting: key + ".secret_file", path: v.SecretFile, value: v.Secret, valid: valid})
	if v.PublicKeyFile != "" {
		replace := func(values []secret.Text) error { return callers.ReplacePublicKey(v.Name, []byte(values[0])) }
		value, err := secret.ReadFile(v.PublicKeyFile)
		if err == nil { // it may have changed since it was read first
			_ = replace([]secret.Text{value})
		}
		s.add(replace, &secretFile{
			setting: key + ".public_key_file", path: v.PublicKeyFile, value: value, public: true,
			valid: func(value secret.Text) error { return callers.CheckPublicKey(v.Name, []byte(value)) },
		})
	}
}

// addWebhook adds the secrets of e, whose settings are w, at key.
func (s *secretFiles) addWebhook(key string, w config.Webhook, e webhook.Endpoint, events *webhook.Service) {
	var files []*secretFile
	for n, one := range w.Secrets {
		files = append(files, &secretFile{
			setting: fmt.Sprintf("%s.secrets[%d].secret_file", key, n), path: one.SecretFile, value: e.Secrets[n], valid: webhook.CheckSecret, trimmed: true,
		})
	}
	files = append(files, &secretFile{setting: key + ".ed25519_key_file", path: w.Ed25519KeyFile, value: e.Ed25519, valid: webhook.CheckEd25519, trimmed: true})
	s.add(func(values []secret.Text) error {
		last := len(values) - 1
		return events.ReplaceSecrets(w.Name, values[:last], values[last])
	}, files...)
}
