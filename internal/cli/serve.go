package cli

import (
	"context"
	"net"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/server"
)

// addressSetting is how users change the address to listen on.
const addressSetting = "--address or CASBROKER_SERVER_ADDRESS"

type serveCommand struct {
	settingsFlag
	Address string `placeholder:"HOST:PORT" help:"The address to listen on, instead of server.address."`
}

// Run serves until ctx ends.
func (c serveCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	if c.Address != "" {
		settings.Server.Address = c.Address
	}
	l, err := server.Listen(ctx, settings.Server.Address, addressSetting)
	if err != nil {
		return err
	}
	return serve(ctx, l, settings, app.Options{LogTo: t.Err}, func() {})
}

// serve runs the program on l until ctx ends. It calls started once requests are accepted.
func serve(ctx context.Context, l net.Listener, settings config.Config, o app.Options, started func()) error {
	a, err := app.New(ctx, settings, o)
	if err != nil {
		_ = l.Close()
		return err
	}
	started()
	return a.Run(ctx, l)
}
