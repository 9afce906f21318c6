package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
)

// Load returns base with the YAML file at path (none if "") and then the
// environment over it. environ is as os.Environ gives it. All faults of the
// environment are reported at once; a file that cannot be read ends the matter.
func Load(base Config, path string, environ []string) (Config, error) {
	c := base
	if path != "" {
		if err := c.readFile(path); err != nil {
			return c, err
		}
	}
	return c, c.readEnvironment(environ)
}

func (c *Config) readFile(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	err = yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField()).Decode(c)
	if err != nil && !errors.Is(err, io.EOF) { // an empty file says nothing
		return fmt.Errorf("%s: %s", path, withoutSource(err))
	}
	return nil
}

// withoutSource returns what is wrong and where, without the lines around it,
// which the library shows and which may hold secrets.
func withoutSource(err error) string {
	var e yaml.Error
	if errors.As(err, &e) {
		if at := e.GetToken(); at != nil {
			return fmt.Sprintf("line %d: %s", at.Position.Line, e.GetMessage())
		}
		return e.GetMessage()
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

// Print writes the settings as YAML, secrets hidden.
func (c *Config) Print(w io.Writer) error {
	return yaml.NewEncoder(w, yaml.Indent(2), yaml.IndentSequence(true)).Encode(c)
}
