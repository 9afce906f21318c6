package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
)

type checkCommand struct{ settingsFlag }

// Run says what is wrong with the settings, or that nothing is.
func (c checkCommand) Run(t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	for _, k := range app.LostKeys(settings) {
		t.say(fmt.Sprintf("mind: the sealing key %q cannot be used, and what it sealed is unreadable until its file is back: %v", k.ID, k.Err))
	}
	for _, name := range app.OutdatedAdminKeys(settings) {
		t.say(fmt.Sprintf("note: the admin key of %s has an argon2id hash, the form of older releases. It still works; to replace it, run: broker admin-key %s", name, name))
	}
	_, err = fmt.Fprintln(t.Out, "The settings are good.")
	return err
}

type printCommand struct{ settingsFlag }

// Run prints the settings that could be read, be they right or wrong, and fails
// when some could not.
func (c printCommand) Run(t *Terminal) error {
	settings, err := config.Load(config.Default(), c.File, t.Environ)
	if err != nil {
		err = usageError{err}
	}
	return errors.Join(settings.Print(t.Out), err)
}

type migrateCommand struct{ settingsFlag }

// Run migrates the database.
func (c migrateCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	steps, err := app.Migrate(ctx, settings, app.Options{LogTo: t.Err})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "The database is up to date; %d steps were taken.\n", steps)
	return err
}

// healthTimeout bounds one question: longer than the broker's own checks may take.
const healthTimeout = 5 * time.Second

type healthCommand struct {
	settingsFlag
	Address string `placeholder:"HOST:PORT" help:"Where the broker listens, if not at server.address."`
}

// Run fails unless the broker says that it is ready.
func (c healthCommand) Run(ctx context.Context, t *Terminal) error {
	address := c.Address
	if address == "" {
		settings, err := config.Load(config.Default(), c.File, t.Environ)
		if err != nil {
			return usageError{err}
		}
		address = settings.Server.Address
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(address)+"/readyz", http.NoBody)
	if err != nil {
		return usageError{err}
	}
	res, err := (&http.Client{Timeout: healthTimeout}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", body)
	}
	_, err = t.Out.Write(body)
	return err
}

// reachable returns an address of this machine for one that names all of them.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
