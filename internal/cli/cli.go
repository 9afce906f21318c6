// Package cli is the command line: it reads flags and settings and hands on to the
// program, or asks a broker that runs elsewhere over HTTP, as any other client would.
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
	"casbroker/internal/telemetry"
)

// The exit codes.
const (
	ExitOK      = 0 // done; also when there was nothing left to do
	ExitFailed  = 1 // it was tried and failed; also when a running broker could not be reached
	ExitUsage   = 2 // the command line or the settings are wrong; also when a running broker says so
	ExitDenied  = 3 // a running broker did not take the key, or whoever holds it may not do this
	ExitNoGrant = 4 // there is no such grant
)

// description is what the help begins with.
const description = `casbroker hands out short-lived access tokens for Portfolio Connect and keeps the portfolios that come back.

Exit codes:

    0  done; or there was nothing left to do
    1  it was tried and failed; or a running broker could not be reached
    2  the command line or the settings are wrong; or a running broker says so
    3  a running broker did not take the key, or its holder may not do this
    4  there is no such grant`

// Terminal is what a command reads from and writes to.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string // as os.Environ gives it
}

// commands is the whole command line.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the broker with settings from a file and the environment."`
	Demo    demoCommand    `cmd:"" help:"Run the broker with everything it needs embedded, to try it out. Not for production."`
	Migrate migrateCommand `cmd:"" help:"Bring the database to the form that this version needs."`
	Seal    struct {
		Rotate rotateCommand `cmd:"" help:"Seal everything anew under the first key of seal.keys, while brokers serve."`
		Verify verifyCommand `cmd:"" help:"Open everything that is sealed, and say what does not open."`
	} `cmd:"" help:"Look after what is sealed at rest."`
	AdminKey adminKeyCommand `cmd:"" help:"Make an admin key for a person, and say how the broker gets to know it."`
	Grants   grantsCommand   `cmd:"" help:"Show the access tokens that a running broker gave, newest first."`
	Revoke   revokeCommand   `cmd:"" help:"Have a running broker end tokens: of a grant, of a user, or all."`
	Block    blockCommand    `cmd:"" help:"Have a running broker give a user no more tokens, and revoke those there are."`
	Unblock  unblockCommand  `cmd:"" help:"Lift the block of a user at a running broker."`
	Audit    struct {
		List   listTrailCommand   `cmd:"" help:"Show the newest records of a running broker."`
		Export exportTrailCommand `cmd:"" help:"Write all records of a running broker, for other programs."`
		Verify verifyTrailCommand `cmd:"" help:"Prove that the audit trail in the database of the settings is whole, or name the first broken link of each chain."`
	} `cmd:"" help:"Read the audit trail."`
	Config struct {
		Check checkCommand `cmd:"" help:"Say everything that is wrong with the settings."`
		Print printCommand `cmd:"" help:"Print the settings in force as YAML, secrets hidden."`
	} `cmd:"" help:"Look at the settings."`
	Health  healthCommand  `cmd:"" help:"Ask a running broker whether it is ready; for container health checks."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// settingsFlag is shared by the commands that read settings.
type settingsFlag struct {
	File string `name:"config" short:"c" placeholder:"FILE" help:"The settings file (YAML). CASBROKER_… variables go over it."`
}

// load returns the settings, or a usageError with all that is wrong with them.
func (f settingsFlag) load(t *Terminal) (config.Config, error) {
	c, err := config.Load(config.Default(), f.File, t.Environ)
	if err = errors.Join(err, app.Check(c)); err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// usageError is the fault of the command line or the settings.
type usageError struct{ error }

// Run carries out args and returns the exit code.
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
	if err := encoded(args); err != nil {
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

// encoded fails for an argument that is not UTF-8. The parser would put another
// character in the place of such a byte, and the argument would name somebody else.
func encoded(args []string) error {
	for i, arg := range args {
		if !utf8.ValidString(arg) {
			return usageError{fmt.Errorf("argument %d is not valid UTF-8, so whom or what it names is not certain; give it in UTF-8, from a terminal or a script that is set to it", i+1)}
		}
	}
	return nil
}

// say prints text for people, a line of its own for each of its lines. Keys and tokens
// in it are hidden, whoever put them there, and nothing in it steers the terminal.
func (t *Terminal) say(text string) {
	text = strings.TrimRight(telemetry.Scrub(text), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		_, _ = fmt.Fprintln(t.Err, "broker: "+strings.Map(printable, line))
	}
}

// fail says what is wrong, a line for each fault, and returns the exit code.
func (t *Terminal) fail(err error) int {
	t.say(err.Error())
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.exit()
	}
	if errors.As(err, new(usageError)) {
		return ExitUsage
	}
	return ExitFailed
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(t *Terminal) error {
	_, err := fmt.Fprintln(t.Out, "broker", app.BuildInfo())
	return err
}
