package app

import (
	"sync"

	"casbroker/internal/admin/console"
	"casbroker/web"
)

// consoleFiles reads the files of the console, once for all brokers of the process.
var consoleFiles = sync.OnceValues(func() (*console.Files, error) { return console.ReadFiles(web.Console) })
