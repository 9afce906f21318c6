// Command sbom prints the bill of materials of a Go program, such as bin/broker: a CycloneDX
// document with each module that is in it. The same program has the same document.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	version := flag.String("version", "", "the version of the program")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "sbom [-version V] PROGRAM")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), *version); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, program, version string) error {
	file, err := os.Open(program) //nolint:gosec // the caller names the program
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return write(w, file, version)
}
