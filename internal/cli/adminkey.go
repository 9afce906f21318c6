package cli

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"casbroker/internal/admin/session"
)

type adminKeyCommand struct {
	Name string `arg:"" help:"Whose key it is, as the audit trail will call them: a to z, 0 to 9 and -, up to 32."`
	JSON bool   `help:"An object with name, key and hash, for scripts."`
}

// keyText is what people are told of a new key: name, key, name, hash, name, hash.
const keyText = `The admin key of %s. It is shown this once; keep it where nobody else can read it:

  %s

The broker knows it by its hash. Put this into the settings file of every replica and restart it,

  admin:
    keys:
      - name: %s
        hash: %s

or set these variables:

  CASBROKER_ADMIN_KEYS_0_NAME=%s
  CASBROKER_ADMIN_KEYS_0_HASH=%s

The key signs in to the console and to broker grants, revoke, block, unblock and audit.
Where there is another key already, count on: keys is a list, and the next is 1.
`

// Run makes a key and shows it, once: it is kept nowhere.
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
