package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/auth"
	"casbroker/internal/cache"
	"casbroker/internal/clock"
	"casbroker/internal/config"
	"casbroker/internal/server"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
	"casbroker/internal/upstream"
)

// The states of a Finding.
const (
	FindingOK      = "ok"
	FindingWarning = "warning"
	FindingFault   = "fault"
)

// Finding is the result of one check of Diagnose.
type Finding struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Note   string `json:"note"`
	Remedy string `json:"remedy,omitempty"`
}

// Caller is whose calls Diagnose checks besides the settings; "" for none.
type Caller struct {
	Origin    string // of a page that calls the broker
	UserToken string // the JWT of a user
}

// diagnoseTimeout bounds each check.
const diagnoseTimeout = 10 * time.Second

// doctor makes the checks. Those that something else spoils are left out, so that one broken
// part is one finding.
type doctor struct {
	settings config.Config // as given, with the names of files
	read     config.Config // with their contents
	options  Options
	found    []Finding
	clocks   *clock.Comparison
}

// Diagnose checks that the broker can work with the valid settings c: files, database, Redis,
// vendor, clock, keys of JWTs, and the calls of by. It works next to running brokers and changes nothing.
func Diagnose(ctx context.Context, c config.Config, o Options, by Caller) []Finding {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.LogTo = io.Discard // what matters is in the findings
	d := &doctor{settings: c, read: c, options: o, clocks: &clock.Comparison{Now: o.Now}}
	d.add("settings", FindingOK, "The settings are valid.", "")
	if d.files() {
		for _, check := range []func(context.Context){d.database, d.redis, d.vendor, d.clock, func(ctx context.Context) { d.users(ctx, by.UserToken) }} {
			ctx, cancel := context.WithTimeout(ctx, diagnoseTimeout)
			check(ctx)
			cancel()
		}
	}
	d.origin(ctx, by.Origin)
	d.proxies()
	return d.found
}

func (d *doctor) add(check, state, note, remedy string) {
	d.found = append(d.found, Finding{check, state, note, remedy})
}

// files reads the files of the settings, and reports whether all that is needed was read.
func (d *doctor) files() bool {
	before := len(d.found)
	seal, lost, err := readKeys(d.read.Seal)
	d.read.Seal = seal
	for _, k := range lost {
		d.add("files", FindingWarning, fmt.Sprintf("The encryption key %q cannot be used: %v", k.ID, k.Err), "bring its file back; what was encrypted with it is unreadable until then")
	}
	if err == nil {
		d.read.Upstream, err = readAPIKeys(d.read.Upstream)
	}
	if err == nil {
		d.read, err = readSecrets(d.read)
	}
	if err != nil {
		d.add("files", FindingFault, err.Error(), "correct the setting, or bring the file back, readable for the broker's user")
		return false
	}
	for _, f := range ExposedFiles(d.settings, d.options.SettingsFile, d.options.Environ) {
		d.add("files", FindingWarning, fmt.Sprintf("%s (%s) is open to %s (mode %04o).", f.Path, f.Has, f.Who, f.Mode), f.Command)
	}
	if path, err := store.SQLitePath(d.settings.Store.URL.Reveal()); err == nil {
		if err := store.CheckTorn(path); err != nil {
			d.add("files", FindingFault, path+": "+err.Error(), "restore a backup: broker restore FILE")
		}
	}
	if len(d.found) == before {
		d.add("files", FindingOK, "All files can be read, by the broker's user only.", "")
	}
	return true
}

func (d *doctor) database(ctx context.Context) {
	const check = "database"
	db, _, err := openStore(d.read, d.options)
	if err != nil {
		d.add(check, FindingFault, err.Error(), "correct store.url and seal.keys")
		return
	}
	defer func() { _ = db.Close() }()
	var wrong *store.WrongKeyError
	switch err := usable(ctx, db); {
	case errors.As(err, &wrong):
		d.add(check, FindingFault, err.Error(), "restore the right key in seal.keys")
		return
	case errors.Is(err, store.ErrNotMigrated):
		d.add(check, FindingFault, err.Error(), "run: broker migrate")
		return
	case errors.Is(err, store.ErrNewerSchema):
		d.add(check, FindingFault, err.Error(), "start the newer release, or restore a backup from before the upgrade")
		return
	case err != nil:
		d.add(check, FindingFault, cause(err), cmp.Or(store.Remedy(err), "start the database, and check the host and the port in store.url"))
		return
	}
	asked := d.options.Now()
	theirs, err := db.Probe(ctx)
	if err != nil {
		d.add(check, FindingFault, "A transaction failed: "+cause(err), cmp.Or(store.Remedy(err), "free space on its disk, and let the user of store.url write"))
		return
	}
	if !theirs.IsZero() {
		d.clocks.Read(clock.Database, theirs, asked, 0)
	}
	d.add(check, FindingOK, "It is migrated, has the keys of seal.keys, and takes a transaction.", "")
}

// cause returns the reason of err for an operator, in one line, without what users read.
func cause(err error) string {
	text := server.Reason(err)
	if inner := errors.Unwrap(err); inner != nil && errors.Is(err, store.ErrUnavailable) {
		text = inner.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}

// remedyNoRedis names a certificate, too: if Redis wants one, its reason may be lost when it closes the connection.
const remedyNoRedis = "start Redis, and check host, port and database in cache.url, and that it begins with rediss if that port of Redis has TLS, else without; " +
	"if Redis wants a certificate of the broker, name it in cache.tls_cert_file; until then each replica counts and caches by itself"

func (d *doctor) redis(ctx context.Context) {
	const check = "redis"
	if d.read.Cache.URL == "memory" {
		d.add(check, FindingOK, "Not used: tokens and limits are kept in the broker, which is right for one replica.", "")
		return
	}
	options, err := redisOptions(d.read.Cache)
	if err != nil {
		d.add(check, FindingFault, err.Error(), "correct that file")
		return
	}
	options.Timeout = max(options.Timeout, time.Second)
	r, err := cache.NewRedis(options)
	if err != nil {
		d.add(check, FindingFault, err.Error(), "correct cache.url")
		return
	}
	defer func() { _ = r.Close() }()
	err = r.Check(ctx)
	var refusal *cache.Refusal
	switch {
	case errors.As(err, &refusal):
		d.add(check, FindingFault, refusal.Err.Error(), refusal.Remedy)
		return
	case err != nil:
		d.add(check, FindingFault, err.Error(), remedyNoRedis)
		return
	}
	asked := d.options.Now()
	if theirs, err := r.Time(ctx); err == nil {
		d.clocks.Read(clock.Redis, theirs, asked, 0)
	}
	d.add(check, FindingOK, "It answers, and the user may do all that the broker does.", "")
}

func (d *doctor) vendor(ctx context.Context) {
	const check = "vendor"
	date, asked, err := d.askDate(ctx)
	if err != nil {
		d.add(check, FindingFault, fmt.Sprintf("%s cannot be reached: %v", d.read.Upstream.URL, err), "check upstream.url, the network, and a proxy or firewall in between")
		return
	}
	if !date.IsZero() {
		d.clocks.Read(clock.Vendor, date, asked, time.Second)
	}
	if d.read.Upstream.OnPremise() {
		d.add(check, FindingOK, "The parser on premises answers.", "")
		return
	}
	log := newLog(d.read, io.Discard)
	memory, err := cache.NewMemory(cache.MemoryOptions{TokenBytes: int(d.read.Cache.Memory)})
	if err != nil {
		d.add(check, FindingFault, err.Error(), "correct cache.memory")
		return
	}
	before := len(d.found)
	for _, k := range d.read.Upstream.AllKeys() { // each key alone, so that none stands in for another
		one := d.read
		one.Upstream.Keys, one.Upstream.APIKey, one.Upstream.APIKeyFile = []config.UpstreamKey{k}, "", ""
		keys := newKeys(one, memory, telemetry.NewMetrics(telemetry.MetricsOptions{}), log, d.options.Now, func(string, apikey.Reason) {}, func(string, time.Duration) {})
		client := upstream.New(upstream.Options{
			URL: one.Upstream.URL, Keys: keys, Timeout: one.Upstream.Timeout, Deadline: diagnoseTimeout, Attempts: 1, Log: log, Now: d.options.Now,
		})
		credits, err := client.Credits(ctx)
		for _, s := range keys.Status() {
			if s.Reason != "" && err == nil {
				err = upstream.ErrRefusedKey.WithNotef("%s", s.Reason.Text())
			}
		}
		switch {
		case err != nil && !errors.Is(err, upstream.ErrRefusedKey) && !errors.Is(err, upstream.ErrOutOfCredits):
			d.add(check, FindingFault, fmt.Sprintf("The credits of the API key %s cannot be read: %s", k.Name, server.Reason(err)),
				"check upstream.url, and whether the vendor has an outage")
		case err != nil:
			d.add(check, FindingFault, fmt.Sprintf("The API key %s is not accepted, or has no credits: %s", k.Name, server.Reason(err)),
				"correct the key in upstream.api_key or upstream.keys, or buy credits")
		case !credits.Unlimited && noneLeft(credits.Remaining):
			d.add(check, FindingFault, fmt.Sprintf("The API key %s has no credits left.", k.Name), "buy credits, or wait for the next period")
		}
	}
	if len(d.found) == before {
		d.add(check, FindingOK, "It answers, accepts each API key, and there are credits.", "")
	}
}

// noneLeft reports whether remaining, a decimal number of credits, is zero or less.
func noneLeft(remaining string) bool {
	n, err := strconv.ParseFloat(remaining, 64)
	return err == nil && n <= 0
}

// askDate returns the Date of an answer of the vendor, the zero Time if it has none, and when it was asked.
func (d *doctor) askDate(ctx context.Context) (date, asked time.Time, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, d.read.Upstream.URL, http.NoBody)
	if err != nil {
		return date, asked, err
	}
	asked = d.options.Now()
	res, err := (&http.Client{Timeout: diagnoseTimeout}).Do(req)
	if err != nil {
		return date, asked, err
	}
	_ = res.Body.Close()
	date, _ = http.ParseTime(res.Header.Get("Date"))
	return date, asked, nil
}

// clock reports what the readings of the other checks say, as /readyz does.
func (d *doctor) clock(ctx context.Context) {
	const check = "clock"
	switch err := d.clocks.Ready(ctx); {
	case clock.IsWarning(err):
		d.add(check, FindingWarning, err.Error(), "synchronise both clocks (NTP)")
	case err != nil:
		d.add(check, FindingFault, err.Error(), "synchronise the clock of this machine (NTP), and that of the other if it is the wrong one")
	case !d.clocks.Known():
		d.add(check, FindingWarning, "No other clock could be asked.", "mend the other findings, and run this again")
	default:
		d.add(check, FindingOK, "It agrees with those of the others.", "")
	}
}

// users checks the keys of JWTs, and that token is one of a user.
func (d *doctor) users(ctx context.Context, token string) {
	const check = "jwt"
	running, stop := context.WithCancel(ctx)
	defer stop()
	callers, err := newAuth(running, d.read.Auth, auth.Options{PageOrigins: d.read.Server.AllowedOrigins, Now: d.options.Now, Log: newLog(d.read, io.Discard)})
	if err != nil {
		d.add(check, FindingFault, err.Error(), "correct auth.verifiers")
		return
	}
	if err := callers.Loaded(ctx); err != nil {
		d.add(check, FindingFault, cause(err), "check jwks_url or issuer in auth.verifiers, and that the address answers from here")
		return
	}
	d.add(check, FindingOK, "Each verifier has its keys.", "")
	if token == "" {
		return
	}
	who, err := callers.Authenticate(ctx, token)
	if err != nil {
		d.add("user_token", FindingFault, server.Reason(err), "compare issuer, audience, algorithm and times of the JWT with auth.verifiers")
		return
	}
	d.add("user_token", FindingOK, "The JWT is that of the user "+who.Subject+".", "")
}
