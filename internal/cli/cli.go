// Package cli is the command line. Its commands run the program with the settings, or send
// requests to a running broker over HTTP like any other client.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/telemetry"
)

// The exit codes.
const (
	ExitOK      = 0 // done, or nothing was left to do
	ExitFailed  = 1 // failed, or a running broker could not be reached
	ExitUsage   = 2 // the command line or the settings are invalid, or a running broker says so
	ExitDenied  = 3 // a running broker refused the key, or its owner lacks permission
	ExitNoGrant = 4 // no such grant, or nothing is recorded of the request
)

// description is the first part of the help.
const description = `casbroker issues short-lived access tokens for Portfolio Connect and stores the imported portfolios.

Exit codes:

    0  done, or nothing was left to do
    1  failed, a running broker could not be reached, or doctor found a fault
    2  the command line or the settings are invalid, or a running broker says so
    3  a running broker refused the key, or its owner lacks permission
    4  no such grant, or nothing is recorded of the request`

// Terminal is the input, output and environment of a command.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string // in the form of os.Environ

	secrets []secret.Text // of the settings, which messages hide
}

// commands are all commands.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the broker with settings from a file and the environment."`
	Demo    demoCommand    `cmd:"" help:"Run a demo with everything embedded. Not for production."`
	Migrate migrateCommand `cmd:"" help:"Migrate the database to the schema of this version."`
	Backup  backupCommand  `cmd:"" help:"Write a checked copy of the SQLite database to a new file, while brokers serve."`
	Restore restoreCommand `cmd:"" help:"Check a copy, and put it in the place of the SQLite database of a stopped broker."`
	Seal    struct {
		Rotate rotateCommand `cmd:"" help:"Encrypt everything again with the first key of seal.keys, while brokers serve."`
		Verify verifyCommand `cmd:"" help:"Decrypt everything, and report what cannot be decrypted."`
	} `cmd:"" help:"Manage the encryption of data at rest."`
	AdminKey adminKeyCommand `cmd:"" help:"Make an admin key for an operator, and print the setting for the broker."`

	ServiceKey serviceKeyCommand `cmd:"" help:"Make a key for a service that acts for users, and print the setting for the broker."`
	Parse      parseCommand      `cmd:"" help:"Have a running broker parse statements and save them for a user."`
	Link       linkCommand       `cmd:"" help:"Have a running broker make a hosted link, with which a user imports a statement."`
	Grants     grantsCommand     `cmd:"" help:"List the access tokens that a running broker issued, newest first."`
	Revoke     revokeCommand     `cmd:"" help:"Revoke tokens at a running broker: of a grant, of a user, or all."`
	Block      blockCommand      `cmd:"" help:"Block a user at a running broker, and revoke the user's tokens."`
	Unblock    unblockCommand    `cmd:"" help:"Unblock a user at a running broker."`
	Why        whyCommand        `cmd:"" help:"Explain why a running broker refused a request, and what to do."`
	Audit      struct {
		List   listTrailCommand   `cmd:"" help:"List the newest audit records of a running broker."`
		Export exportTrailCommand `cmd:"" help:"Export all audit records of a running broker, for other programs."`
		Verify verifyTrailCommand `cmd:"" help:"Check that the audit trail in the database of the settings is complete and unchanged, or name the first broken link of each chain."`
	} `cmd:"" help:"Read the audit trail."`
	Usage struct {
		Show    usageCommand        `cmd:"" default:"withargs" help:"Print what the calls through the gateway of a running broker have cost."`
		Compare compareUsageCommand `cmd:"" help:"Have a running broker compare a past day with the vendor's usage."`
	} `cmd:"" help:"Print what the calls through the gateway of a running broker have cost, or compare them with the vendor's usage."`
	Budgets struct {
		List  budgetsCommand `cmd:"" default:"withargs" help:"Print the budgets of a running broker and how much of them is used."`
		Raise raiseCommand   `cmd:"" help:"Make a budget of a running broker larger for a while."`
	} `cmd:"" help:"Print the budgets of a running broker, or raise one for a while."`
	Webhooks struct {
		List       webhooksCommand       `cmd:"" default:"withargs" help:"Print where a running broker sends events."`
		Deliveries deliveriesCommand     `cmd:"" help:"Print what a running broker sent to a webhook, and what waits."`
		Test       testWebhookCommand    `cmd:"" help:"Have a running broker send a test to a webhook."`
		Replay     replayCommand         `cmd:"" help:"Have a running broker send events to a webhook again."`
		Enable     enableWebhookCommand  `cmd:"" help:"Enable a webhook of a running broker."`
		Disable    disableWebhookCommand `cmd:"" help:"Disable a webhook of a running broker."`
	} `cmd:"" help:"Print, test, enable or disable where a running broker sends events, or send events again."`
	Config struct {
		Check checkCommand `cmd:"" help:"Check the settings, and list every error."`
		Print printCommand `cmd:"" help:"Print the effective settings as YAML, with secrets hidden."`
	} `cmd:"" help:"Check or print the settings."`
	LogLevel logLevelCommand `cmd:"" help:"Print the level of the log of a running broker, or change that of all replicas, for a while or until they restart."`
	Doctor   doctorCommand   `cmd:"" help:"Check everything that the broker needs, next to a running one or without, and say what to do. Exits with 1 if there is a fault."`
	Health   healthCommand   `cmd:"" help:"Check that a running broker is ready, for container health checks."`
	Version  versionCommand  `cmd:"" help:"Print the version, the commit and the Go version."`
}

// settingsFlag is the flag of commands that read settings.
type settingsFlag struct {
	File string `name:"config" short:"c" placeholder:"FILE" help:"The settings file (YAML). CASBROKER_… variables override it."`
}

// load returns the settings, or a usageError with all their errors, without those that
// follow from others. A file that cannot be read is the only error: what is missing is
// probably in it.
func (f settingsFlag) load(t *Terminal) (config.Config, error) {
	c, err := config.Load(config.Default(), f.File, t.Environ)
	t.secrets = app.Secrets(c)
	if !errors.Is(err, config.ErrNotRead) {
		err = c.Causes(err, app.Check(c))
	}
	if err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// usageError is an error in the command line or the settings.
type usageError struct{ error }

// Run executes the command in args and returns the exit code.
func Run(ctx context.Context, args []string, t Terminal) (code int) {
	var c commands
	ended := false
	parser, err := kong.New(&c,
		kong.Name("broker"),
		kong.Description(description),
		kong.Writers(t.Out, t.Err),
		kong.Exit(func(n int) { ended, code = true, n }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&t),
	)
	if err != nil {
		return t.fail(err)
	}
	if err := checkEncoding(args); err != nil {
		return t.fail(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if ended { // --help has been printed
		return code
	}
	if err != nil {
		return t.fail(usageError{fmt.Errorf("%w; broker --help lists the commands", err)})
	}
	if err := parsed.Run(); err != nil {
		return t.fail(err)
	}
	return ExitOK
}

// checkEncoding fails for an argument that is not UTF-8. The parser would replace the invalid
// bytes, and the argument would name another user.
func checkEncoding(args []string) error {
	for i, arg := range args {
		if !utf8.ValidString(arg) {
			return usageError{fmt.Errorf("argument %d is not valid UTF-8, so it could name another user; use a terminal or script that sends UTF-8", i+1)}
		}
	}
	return nil
}

// message prints text for people, with a prefix on each line. Secrets of the settings, keys
// and tokens in it are hidden, and control characters are replaced.
func (t *Terminal) message(text string) {
	text = strings.TrimRight(telemetry.Scrub(text, t.secrets...), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		_, _ = fmt.Fprintln(t.Err, "broker: "+strings.Map(printable, line))
	}
}

// fail prints err and returns the exit code.
func (t *Terminal) fail(err error) int {
	t.message(err.Error())
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.exit()
	}
	if errors.As(err, new(usageError)) {
		return ExitUsage
	}
	if errors.Is(err, errNotRecorded) {
		return ExitNoGrant
	}
	return ExitFailed
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(t *Terminal) error {
	_, err := fmt.Fprintln(t.Out, "broker", app.BuildInfo())
	return err
}
