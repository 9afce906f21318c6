// Package web holds what browsers and API users read: the module connect.js, the demo page,
// the operators' console, the stand-in for the vendor's widget, and the description of the HTTP API.
// Except for the console's templates, the files are served as they are; there is no
// build step.
package web

import (
	"embed"
	"io/fs"
)

//go:embed console demo docs link widget
//go:embed connect/*.js connect/*.d.ts connect/package.json connect/connect
var files embed.FS

// Connect has connect.js, which pages import from /connect.js, what it loads from
// /connect/, their types, and package.json, which names what their tests need.
var Connect = folder("connect")

// Demo has the demo page: index.html, and the scripts, styles and icon that it loads
// from /demo/.
var Demo = folder("demo")

// Console has the templates of the operators' console, and under assets the files
// that browsers load.
var Console = folder("console")

// Link has the page of hosted links: index.html, a template, and the files that it loads from
// /connect/link/.
var Link = folder("link")

// Docs has the documentation for developers of apps: templates, the stylesheet, llms.txt,
// and under guides the Markdown that the pages are made of.
var Docs = folder("docs")

// Widget has the stand-in widget, which pages load from /widget/; its entry point is
// portfolio-connect.js.
var Widget = folder("widget")

// OpenAPI is the OpenAPI description of the broker's HTTP surface, as YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

// folder returns one folder of files. It panics on an invalid path; those above are valid.
func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err)
	}
	return sub
}
