package console

import (
	"fmt"
	"io/fs"
	"mime"
	"path"

	"casbroker/internal/httpapi"
)

// Files are the templates of the pages, and the files that browsers load. They do not change,
// and may be used by several Handlers.
type Files struct {
	templates templates
	assets    map[string]httpapi.File // by name
}

// ReadFiles reads the templates in pages, and the browser's files in its folder assets. It
// returns an error if a template is invalid. It takes some 30 ms, since it executes each
// template.
func ReadFiles(pages fs.FS) (*Files, error) {
	f := &Files{assets: map[string]httpapi.File{}}
	var err error
	if f.templates, err = parseTemplates(pages); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	list, err := fs.ReadDir(pages, "assets")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	for _, e := range list {
		data, err := fs.ReadFile(pages, "assets/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		if f.assets[e.Name()], err = httpapi.NewFile(mime.TypeByExtension(path.Ext(e.Name())), data); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
	}
	return f, nil
}
