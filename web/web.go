// Package web holds what browsers and API users read: the demo page, the operators'
// console, the stand-in for the vendor's widget, and the description of the HTTP API.
// But for the console's templates the files are served as they lie here; nothing
// builds them.
package web

import (
	"embed"
	"io/fs"
)

//go:embed console demo widget
var files embed.FS

// Demo has the demo page: index.html, and beside it the scripts, styles and the
// icon that it asks for under /demo/.
var Demo = folder("demo")

// Console has the templates of the operators' console, and under assets what their
// browsers fetch.
var Console = folder("console")

// Widget has the stand-in widget, which pages ask for under /widget/; its entry
// is portfolio-connect.js.
var Widget = folder("widget")

// OpenAPI is the OpenAPI description of the broker's HTTP surface, as YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

// folder panics on a name that is no valid path, which the names above cannot be.
func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err)
	}
	return sub
}
