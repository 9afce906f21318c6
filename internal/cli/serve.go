package cli

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/server"
	"casbroker/internal/telemetry"
)

// addressSetting is how users change the address to listen on.
const addressSetting = "--address or CASBROKER_SERVER_ADDRESS"

type serveCommand struct {
	settingsFlag
	Address string `placeholder:"HOST:PORT" help:"The address to listen on, instead of server.address."`
}

// Run serves until ctx ends.
func (c serveCommand) Run(ctx context.Context, t *Terminal) error {
	if err := checkAddress(c.Address); err != nil {
		return err
	}
	load := func() (config.Config, error) {
		settings, err := c.load(t)
		if c.Address != "" {
			settings.Server.Address = c.Address
		}
		return settings, err
	}
	settings, err := load()
	if err != nil {
		return err
	}
	l, err := server.Listen(ctx, settings.Server.Address, addressSetting)
	if err != nil {
		return err
	}
	return serve(ctx, l, settings, app.Options{LogTo: t.Err, SettingsFile: c.File, Environ: t.Environ}, load, func() {})
}

// checkAddress returns a usageError for a value of --address that is neither host:port nor
// missing.
func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if address != "" && err != nil {
		return usageError{errors.New("--address: want host:port, such as 127.0.0.1:8080 or :8080")}
	}
	return nil
}

// startTime is how long requests wait for the start of the program, which on a busy machine takes some
// seconds, before they are refused. It is less than proxies wait for.
const startTime = 5 * time.Second

// serve runs the program on l until ctx ends. It calls started once requests are accepted. On
// SIGHUP, load reads the settings again.
func serve(ctx context.Context, l net.Listener, settings config.Config, o app.Options, load func() (config.Config, error), started func()) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	log := telemetry.NewLineWriter(o.LogTo)
	defer log.Flush()
	o.LogTo = log
	end := server.AnswerWhileStarting(l, startTime)
	a, err := app.New(ctx, settings, o)
	end()
	if err != nil {
		_ = l.Close()
		return err
	}
	started()
	reloads, stop := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for {
			select {
			case <-reloads.Done():
				return
			case <-hangups:
				a.Reload(reloads, load)
			}
		}
	})
	defer reloading.Wait()
	defer stop()
	return a.Run(ctx, l)
}
