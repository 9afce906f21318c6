package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
)

type checkCommand struct{ settingsFlag }

// Run prints the errors in the settings, or that there are none.
func (c checkCommand) Run(t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	for _, k := range app.LostKeys(settings) {
		t.message(fmt.Sprintf("warning: the encryption key %q cannot be used; values encrypted with it are unreadable until its file is back: %v", k.ID, k.Err))
	}
	for _, f := range app.ExposedFiles(settings, c.File, t.Environ) {
		t.message("warning: " + f.String())
	}
	for _, name := range app.OutdatedAdminKeys(settings) {
		t.message(fmt.Sprintf("note: the admin key of %s has an argon2id hash, the form of older releases. It still works; to replace it, run: broker admin-key %s", name, name))
	}
	for _, note := range settings.Notes() {
		t.message("note: " + note)
	}
	_, err = fmt.Fprintln(t.Out, "The settings are valid.")
	return err
}

type printCommand struct{ settingsFlag }

// Run prints the settings, valid or not, and fails if some could not be parsed. It prints
// none if the file cannot be read.
func (c printCommand) Run(t *Terminal) error {
	settings, err := config.Load(config.Default(), c.File, t.Environ)
	t.secrets = app.Secrets(settings)
	if errors.Is(err, config.ErrNotRead) {
		return usageError{err}
	}
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
	_, err = fmt.Fprintf(t.Out, "The database is up to date; %d steps were applied.\n", steps)
	return err
}

// healthTimeout bounds one request: longer than the broker's own checks may take.
const healthTimeout = 5 * time.Second

type healthCommand struct {
	settingsFlag
	Address string `placeholder:"HOST:PORT" help:"The address of the broker, if not server.address."`
}

// Run fails unless the broker is ready.
func (c healthCommand) Run(ctx context.Context, t *Terminal) error {
	if err := checkAddress(c.Address); err != nil {
		return err
	}
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
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return fmt.Errorf("no broker answers at http://%s: %w", req.URL.Host, err)
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

// reachable returns address, with 127.0.0.1 in place of an address that means all networks.
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
