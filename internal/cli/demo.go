package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"casbroker/internal/admin/session"
	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/demo"
	"casbroker/internal/netaddr"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/server"
	"casbroker/web"
)

// demoDrain is how long requests in progress may take when the demo stops. It is short,
// because a person waits after Ctrl-C.
const demoDrain = 500 * time.Millisecond

type demoCommand struct {
	settingsFlag
	Address string `placeholder:"HOST:PORT" help:"The address to listen on (default 127.0.0.1:8080)."`
	Data    string `default:"data/demo" placeholder:"FOLDER" help:"The folder for portfolios and their encryption keys (default data/demo)."`
}

// Run serves the demo until ctx ends. The settings file and the environment override what
// the demo embeds: with upstream.api_key it uses the vendor.
func (c demoCommand) Run(ctx context.Context, t *Terminal) error {
	if err := checkAddress(c.Address); err != nil {
		return err
	}
	settings, err := c.load(t.Environ)
	if err != nil {
		return err
	}
	l, err := server.Listen(ctx, settings.Server.Address, addressSetting)
	if err != nil {
		return err
	}
	t.secrets = app.Secrets(settings)
	page := &demo.Handler{
		Secret: demo.NewSecret(), Now: time.Now, Page: web.Demo,
		WidgetURL: settings.Web.WidgetURL, APIBaseURL: settings.Upstream.URL,
	}
	settings.Auth.Verifiers = append(settings.Auth.Verifiers, demoVerifier(page.Secret))
	key, err := demoAdmin(&settings)
	if err != nil {
		_ = l.Close()
		return err
	}
	embedVendor(&settings, page, l.Addr())
	offerModes(&settings, page, l.Addr())
	if err := app.Check(settings); err != nil {
		_ = l.Close()
		return usageError{err}
	}
	o := app.Options{LogTo: t.Err, SettingsFile: c.File, Environ: t.Environ, Public: []server.Routes{page}, DemoHistory: demo.History(time.Now())}
	keep := func() (config.Config, error) { return settings, nil } // the demo has made most of them
	return serve(ctx, l, settings, o, keep, func() { banner(t, settings, page, l.Addr(), key) })
}

// load returns the settings: those of the demo, then the file and the environment, then
// the flags. By default tokens are for the gateway or direct; on an address that other
// machines reach they are direct unless the settings have the mode or a public URL, since
// the gateway needs one there.
func (c demoCommand) load(environ []string) (config.Config, error) {
	base, err := demoSettings(c.Data)
	if err != nil {
		return base, err
	}
	base.Token.Mode, base.Web = config.ModeBoth, config.Web{StandIn: true}
	s, err := c.loadOver(base, environ)
	if err == nil && s.Server.PublicURL == "" && !netaddr.IsLoopback(s.Server.Address) {
		base.Token.Mode = config.ModeDirect
		return c.loadOver(base, environ)
	}
	return s, err
}

func (c demoCommand) loadOver(base config.Config, environ []string) (config.Config, error) {
	s, err := config.Load(base, c.File, environ)
	if err != nil {
		return s, usageError{err}
	}
	if c.Address != "" {
		s.Server.Address = c.Address
	}
	s.Web.StandIn = s.Web.WidgetURL == ""
	return s, nil
}

// offerModes has the page offer the modes of tokens, the gateway first, and the gateway
// serve this page.
func offerModes(s *config.Config, page *demo.Handler, at net.Addr) {
	page.Modes = []string{s.Token.Mode}
	if s.Token.Mode == config.ModeBoth {
		page.Modes = []string{config.ModeGateway, config.ModeDirect}
	}
	page.Features = s.Gateway.Features
	if _, port, err := net.SplitHostPort(at.String()); err == nil {
		own := []string{"127.0.0.1:" + port, "localhost:" + port}
		s.Gateway.CallbackHosts = append(s.Gateway.CallbackHosts, own...)
		s.Gateway.RedirectHosts = append(s.Gateway.RedirectHosts, own...)
	}
}

// demoSettings returns the defaults of the demo, with the keys in folder.
func demoSettings(folder string) (config.Config, error) {
	s := config.Default()
	s.Log.Level, s.Log.Format = "warn", "text"
	s.Server.DrainDelay, s.Server.DrainTimeout = 0, demoDrain
	s.Gateway.Features = config.GatewayFeatures()
	s.Store.URL = secret.URL("sqlite:" + filepath.Join(folder, "broker.db"))
	hash, err := loadOrMakeKey(filepath.Join(folder, "hash.key"))
	if err != nil {
		return s, err
	}
	seal, err := loadOrMakeKey(filepath.Join(folder, "seal.key"))
	if err != nil {
		return s, err
	}
	s.Seal = config.Seal{HashKey: hash, Keys: []config.SealKey{{ID: "demo", Key: seal}}}
	return s, nil
}

// loadOrMakeKey returns the key in the file at path, and makes the file if it is missing.
func loadOrMakeKey(path string) (secret.Text, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the caller names the folder
	if err == nil {
		return secret.Text(strings.TrimSpace(string(text))), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the demo's key: %w", err)
	}
	text = base64.StdEncoding.AppendEncode(nil, []byte(secret.RandomKey().Reveal()))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("make the demo's folder: %w", err)
	}
	// Renamed into place: a truncated key would break every later start.
	temporary := path + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return "", fmt.Errorf("save the demo's key: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return "", fmt.Errorf("save the demo's key: %w", err)
	}
	return secret.Text(text), nil
}

func demoVerifier(key secret.Text) config.Verifier {
	v := config.NewVerifier()
	v.Name, v.Issuer, v.Audience = "demo", demo.Issuer, []string{demo.Audience}
	v.Algorithms, v.Secret, v.MaxLifetime = []string{demo.Algorithm}, key, demo.TokenLife
	return v
}

// adminName is the name of the demo's operator.
const adminName = "admin"

// demoAdmin adds an operator to the settings, with a new key for this run, and returns the
// key. If the settings have operators already, it adds none and returns "".
func demoAdmin(s *config.Config) (secret.Text, error) {
	if len(s.Admin.Keys) > 0 {
		return "", nil
	}
	key, hash, err := session.NewKey(adminName)
	if err != nil {
		return "", fmt.Errorf("make the demo's admin key: %w", err)
	}
	s.Admin.Keys = []config.AdminKey{{Name: adminName, Hash: secret.Text(hash)}}
	return key, nil
}

// embedVendor replaces the vendor by the sandbox, unless an API key is set.
func embedVendor(s *config.Config, page *demo.Handler, at net.Addr) {
	if s.Upstream.APIKey != "" || s.Upstream.APIKeyFile != "" || len(s.Upstream.Keys) > 0 {
		return
	}
	s.Upstream.APIKey = demo.NewSecret()
	s.Upstream.URL = "http://" + reachable(at.String()) + demo.SandboxPath
	page.Sandbox = sandbox.New(sandbox.Options{
		APIKey: s.Upstream.APIKey.Reveal(), Prefix: demo.SandboxPath, ParseDelay: time.Second,
	})
}

// banner prints where the demo is and what it uses.
func banner(t *Terminal, s config.Config, page *demo.Handler, at net.Addr, key secret.Text) {
	names := make([]string, 0, len(demo.Users))
	for _, u := range demo.Users {
		names = append(names, u.Name)
	}
	vendor := "the vendor at " + s.Upstream.URL
	if page.Sandbox != nil {
		vendor = "an emulated vendor (no network is used)"
	}
	cache := "an in-process cache"
	if s.Cache.URL.Reveal() != "memory" {
		cache = "Redis"
	}
	admin := key.Reveal() + " (made for this run)"
	if key == "" {
		admin = "as in the settings (admin.keys)"
	}
	tokens := map[string]string{
		config.ModeBoth:    "through the gateway, or direct (chosen on the page)",
		config.ModeGateway: "through the gateway",
		config.ModeDirect:  "direct",
	}[s.Token.Mode]
	scheme, rest, _ := strings.Cut(s.Store.URL.Reveal(), ":")
	store := "PostgreSQL"
	if scheme == "sqlite" {
		store = "SQLite at " + rest
	}
	_, _ = fmt.Fprintf(t.Out, `
  casbroker demo — not for production: anyone can sign in

  Open      http://%s/
  Users     %s
  Console   http://%s/console/
  Admin     %s
  Imports   %s
  Uses      %s, %s,
            %s
  Stop      Ctrl-C; imported data is kept

`, reachable(at.String()), strings.Join(names, ", "), reachable(at.String()), admin, tokens, vendor, cache, store)
}
