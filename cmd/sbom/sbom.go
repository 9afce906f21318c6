package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// write writes the bill of materials of program as JSON. It has neither a time nor a random
// number. It fails if a module has no hash, as one from a local folder.
func write(w io.Writer, program *os.File, version string) error {
	info, err := buildinfo.Read(program)
	if err != nil {
		return fmt.Errorf("%s: %w", program.Name(), err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(program, 0, 1<<62)); err != nil {
		return err
	}
	main := component(cyclonedx.ComponentTypeApplication, info.Main.Path, version)
	main.Hashes = sha256Hash(sum.Sum(nil))
	// Go's own library is not a module, but vulnerabilities are published for it as for one.
	libraries := []cyclonedx.Component{component(cyclonedx.ComponentTypeLibrary, "std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, module := range info.Deps {
		library, err := libraryOf(module)
		if err != nil {
			return err
		}
		libraries = append(libraries, library)
	}
	needed := make([]string, 0, len(libraries))
	for _, library := range libraries {
		needed = append(needed, library.BOMRef)
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &main}
	bom.Components = &libraries
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: main.BOMRef, Dependencies: &needed}}
	// More scanners read version 1.6 than 1.7, and nothing here needs more.
	if err := cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

// libraryOf returns the component of module, or of the module that replaces it.
func libraryOf(module *debug.Module) (cyclonedx.Component, error) {
	for module.Replace != nil {
		module = module.Replace
	}
	library := component(cyclonedx.ComponentTypeLibrary, module.Path, module.Version)
	// h1 is the SHA-256 of a list of the files with their own hashes, as in go.sum.
	encoded, ok := strings.CutPrefix(module.Sum, "h1:")
	sum, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(sum) != sha256.Size {
		return library, fmt.Errorf("the module %s has no hash: %q", module.Path, module.Sum)
	}
	library.Hashes = sha256Hash(sum)
	return library, nil
}

// component returns the component of a module. Its version may be "".
func component(kind cyclonedx.ComponentType, path, version string) cyclonedx.Component {
	purl := "pkg:golang/" + path
	if version != "" {
		purl += "@" + strings.ReplaceAll(version, "+", "%2B")
	}
	return cyclonedx.Component{BOMRef: purl, Type: kind, Name: path, Version: version, PackageURL: purl}
}

func sha256Hash(sum []byte) *[]cyclonedx.Hash {
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
}
