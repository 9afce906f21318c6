package app

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"
)

// version and commit are set when the program is built, by
// -ldflags "-X casbroker/internal/app.version=v0.2.0 -X casbroker/internal/app.commit=…".
var version, commit string

// unknown stands for a version or commit that the build did not record.
const unknown = "unknown"

// Build identifies the build of the program.
type Build struct {
	Version   string // of git describe, such as "v0.2.0-3-g1a2b3c4", or "unknown"
	Commit    string // "unknown" if not recorded
	GoVersion string // "go1.26.8"
}

// BuildInfo returns the build of this program: what the linker flags say, else what the Go
// command recorded of the version control system.
func BuildInfo() Build {
	b := Build{Version: version, Commit: commit, GoVersion: unknown}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.GoVersion = info.GoVersion
		b.complete(info)
	}
	b.Version, b.Commit = cmp.Or(b.Version, unknown), cmp.Or(b.Commit, unknown)
	return b
}

// complete fills in a missing version and commit from info.
func (b *Build) complete(info *debug.BuildInfo) {
	if info.Main.Version != "(devel)" {
		b.Version = cmp.Or(b.Version, info.Main.Version)
	}
	if b.Commit != "" {
		return
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value + b.Commit
		case s.Key == "vcs.modified" && s.Value == "true":
			b.Commit += "-dirty"
		}
	}
	if strings.HasPrefix(b.Commit, "-") { // modified, but no revision
		b.Commit = ""
	}
}

// String is such as "v0.2.0 (commit 1a2b3c4d5e6f, go1.26.8)". A version that is only the
// beginning of the commit, as git describe gives without a tag, is left out.
func (b Build) String() string {
	if commit := strings.TrimSuffix(b.Version, "-dirty"); len(commit) >= 7 && strings.HasPrefix(b.Commit, commit) {
		b.Version = unknown
	}
	return fmt.Sprintf("%s (commit %.12s, %s)", b.Version, b.Commit, b.GoVersion)
}
