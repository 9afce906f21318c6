package cli

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"casbroker/internal/admin/session"
)

type adminKeyCommand struct {
	Name string `arg:"" help:"The operator's name in the audit trail: up to 32 of a to z, 0 to 9 and -."`
	JSON bool   `help:"Print a JSON object with name, key and hash, for scripts."`
}

// keyText presents a new key; its arguments are name, key, name, hash, name, hash.
const keyText = `This is the admin key of %s. It will not be shown again; keep it where only its owner can read it:

  %s

The broker stores only its hash. Add this to the settings file of every replica and restart it,

  admin:
    keys:
      - name: %s
        hash: %s

or set these variables:

  CASBROKER_ADMIN_KEYS_0_NAME=%s
  CASBROKER_ADMIN_KEYS_0_HASH=%s

The key signs in to the console, and to the commands of broker that act on a running one, such as grants and usage.
keys is a list: if there is a key already, the next one is CASBROKER_ADMIN_KEYS_1_….
`

// Run makes a key and prints it; the key is not stored.
func (c adminKeyCommand) Run(t *Terminal) error {
	key, hash, err := session.NewKey(c.Name)
	if err != nil {
		return usageError{err}
	}
	if !c.JSON {
		_, err = fmt.Fprintf(t.Out, keyText, c.Name, key.Reveal(), c.Name, hash, c.Name, hash)
		return err
	}
	made := struct {
		Name string `json:"name"`
		Key  string `json:"key"`
		Hash string `json:"hash"`
	}{c.Name, key.Reveal(), hash}
	if err := json.MarshalWrite(t.Out, made); err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.Out)
	return err
}
