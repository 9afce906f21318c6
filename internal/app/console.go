package app

import (
	"sync"

	"casbroker/internal/admin/console"
	"casbroker/web"
)

// consoleFiles reads the files of the console, once for all brokers of the process and when the
// first page is asked for. It panics if a template is invalid, which no embedded one is.
var consoleFiles = sync.OnceValue(func() *console.Files {
	files, err := console.ReadFiles(web.Console)
	if err != nil {
		panic(err)
	}
	return files
})
