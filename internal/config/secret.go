package config

import (
	"fmt"

	"casbroker/internal/check"
	"casbroker/internal/secret"
)

// Secret is one of several secrets: the secret itself, or a file that has it. In a list, a
// text is short for the secret itself.
type Secret struct {
	Secret     secret.Text `yaml:"secret"`
	SecretFile string      `yaml:"secret_file"`
}

// setText sets the secret itself.
func (s *Secret) setText(text string) { s.Secret = secret.Text(text) }

// validateSecrets checks that each secret of callers and operators is set once, itself or by
// its file. Package app reads the files, and other packages check the secrets.
func (c *Config) validateSecrets(wrong *check.Errors) {
	once := func(key, name string, value secret.Text, file string) {
		wrong.Require(value == "" || file == "", key+"."+name+"_file", "set this or %s, not both", name)
	}
	for i, v := range c.Auth.Verifiers {
		key := fmt.Sprintf("auth.verifiers[%d]", i)
		once(key, "secret", v.Secret, v.SecretFile)
		for n, s := range v.Secrets {
			once(fmt.Sprintf("%s.secrets[%d]", key, n), "secret", s.Secret, s.SecretFile)
		}
	}
	for i, k := range c.Auth.ServiceKeys {
		key := fmt.Sprintf("auth.service_keys[%d]", i)
		once(key, "hash", k.Hash, k.HashFile)
		once(key, "previous_hash", k.PreviousHash, k.PreviousFile)
	}
	for i, k := range c.Admin.Keys {
		once(fmt.Sprintf("admin.keys[%d]", i), "hash", k.Hash, k.HashFile)
	}
}
