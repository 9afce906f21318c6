package cli

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"casbroker/internal/app"
)

type serviceKeyCommand struct {
	Name  string   `arg:"" help:"The service's name in the audit trail: up to 32 of a to z, 0 to 9 and -."`
	Scope []string `required:"" placeholder:"SCOPE" help:"What it may do: casbroker:service for everything, or token:write, statements:write, portfolios:read, portfolios:write, users:erase, events:read. Repeat for several."`
	For   []string `name:"for" placeholder:"VERIFIER" default:"app" help:"The name of the verifier (auth.verifiers) whose users it may act for; app if left out. Repeat for several."`
	JSON  bool     `help:"Print a JSON object with name, key, hash, scopes and acts_for, for scripts."`
}

// serviceKeyText presents a new key; its arguments are name, key, name, hash, scopes and
// verifiers, and for the variables name, hash, scopes and verifiers.
const serviceKeyText = `This is the key of the service %s. It will not be shown again; keep it where only that service can read it:

  %s

The service sends it as Authorization: Bearer <key>. The broker stores only its hash. Add this to the settings file of
every replica and restart it,

  auth:
    service_keys:
      - name: %s
        hash: %s
        scopes: [%s]
        acts_for: [%s]

or set these variables:

  CASBROKER_AUTH_SERVICE_KEYS_0_NAME=%s
  CASBROKER_AUTH_SERVICE_KEYS_0_HASH=%s
  CASBROKER_AUTH_SERVICE_KEYS_0_SCOPES=%s
  CASBROKER_AUTH_SERVICE_KEYS_0_ACTS_FOR=%s

To replace a key without a pause, move the hash that is there to previous_hash, set hash to the new one, restart, give
the service the new key, and remove previous_hash.
`

// Run makes a key and prints it; the key is not stored.
func (c serviceKeyCommand) Run(t *Terminal) error {
	key, hash, err := app.NewServiceKey(c.Name, c.Scope)
	if err != nil {
		return usageError{err}
	}
	if !c.JSON {
		scopes, verifiers := strings.Join(c.Scope, ", "), strings.Join(c.For, ", ")
		// In YAML, a scope is text although it has a colon, since no space follows that.
		_, err = fmt.Fprintf(t.Out, serviceKeyText, c.Name, key.Reveal(), c.Name, hash, scopes, verifiers,
			c.Name, hash, strings.Join(c.Scope, ","), strings.Join(c.For, ","))
		return err
	}
	made := struct {
		Name    string   `json:"name"`
		Key     string   `json:"key"`
		Hash    string   `json:"hash"`
		Scopes  []string `json:"scopes"`
		ActsFor []string `json:"acts_for"`
	}{c.Name, key.Reveal(), hash, c.Scope, c.For}
	if err := json.MarshalWrite(t.Out, made); err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.Out)
	return err
}
