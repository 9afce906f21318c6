//go:build profile

package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// With the build tag profile, which make pgo sets, the program writes a CPU profile of its whole
// run to the file that BROKER_CPU_PROFILE names.
func init() {
	path := os.Getenv("BROKER_CPU_PROFILE") //nolint:forbidigo // not a setting
	if path == "" {
		return
	}
	file, err := os.Create(path) //nolint:gosec // whoever starts the program chooses it
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "BROKER_CPU_PROFILE:", err)
		os.Exit(1)
	}
	atExit = func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}
}
