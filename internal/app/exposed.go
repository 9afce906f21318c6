package app

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"casbroker/internal/config"
)

// ExposedFile is a file with secrets or personal data that other users of the machine can
// read or change.
type ExposedFile struct {
	Path    string
	Has     string // what is in it, with the setting that names it
	Mode    fs.FileMode
	Who     string // who can open it
	Command string // that mends it
}

func (f ExposedFile) String() string {
	return fmt.Sprintf("%s (%s) is open to %s (mode %04o); run: %s", f.Path, f.Has, f.Who, f.Mode, f.Command)
}

// ExposedFiles returns the files of the settings that are exposed: those of a SQLite
// database, those with keys, and settingsFile ("" for none) if it has secrets. A group may
// read a file that another user owns, such as root: Kubernetes mounts secrets so for the
// broker's group. environ is that of the settings.
func ExposedFiles(c config.Config, settingsFile string, environ []string) []ExposedFile {
	var exposed []ExposedFile
	seen := map[string]bool{}
	add := func(path, has string) {
		if f, ok := Exposed(path, has); ok && !seen[path] {
			exposed = append(exposed, f)
			seen[path] = true
		}
	}
	if settingsFile != "" {
		if keys := config.SecretsInFile(settingsFile); len(keys) > 0 {
			add(settingsFile, "settings with secrets: "+strings.Join(keys, ", "))
		}
	}
	for _, f := range c.SecretFiles(environ) {
		add(f.Path, f.Setting)
	}
	if path, ok := strings.CutPrefix(c.Store.URL.Reveal(), "sqlite:"); ok {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			add(path+suffix, "the database of store.url")
		}
	}
	return exposed
}

// Exposed reports whether the file at path is exposed, and how. has is what is in it.
func Exposed(path, has string) (ExposedFile, bool) {
	const group, others = 0o070, 0o007
	info, err := os.Stat(path)
	if err != nil || !hasModes || !info.Mode().IsRegular() {
		return ExposedFile{}, false
	}
	f := ExposedFile{Path: path, Has: has, Mode: info.Mode().Perm(), Who: "every user of this machine", Command: "chmod 600 " + quote(path)}
	ours := isOurs(info)
	switch {
	case f.Mode&others != 0 && !ours:
		f.Command = "chmod o= " + quote(path) + " (in a Kubernetes volume: defaultMode: 0440)"
	case f.Mode&others != 0:
	case f.Mode&group != 0 && ours:
		f.Who = "its group"
	default:
		return ExposedFile{}, false
	}
	return f, true
}

// plain are paths that a shell takes as they are.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./][A-Za-z0-9_./@:+-]*$`)

// quote returns path as an argument in a shell.
func quote(path string) string {
	if plain.MatchString(path) {
		return path
	}
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func logExposedFiles(log *slog.Logger, files []ExposedFile) {
	for _, f := range files {
		log.Warn("a file is open to others than the broker", "file", f.Path, "has", f.Has, "mode", fmt.Sprintf("%04o", f.Mode), "who", f.Who, "remedy", f.Command)
	}
}
