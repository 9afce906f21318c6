package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"casbroker/internal/config"
	"casbroker/internal/spool"
)

// openExports returns where exports are while they are sent. It returns an error if the
// folder of the setting cannot be used.
func openExports(s config.Store, log *slog.Logger) (*spool.Dir, error) {
	folder := s.ExportDir
	if folder == "" {
		folder = os.TempDir()
		if path, ok := strings.CutPrefix(s.URL.Reveal(), "sqlite:"); ok {
			folder = filepath.Dir(path)
		}
	}
	exports := spool.New(folder, int64(s.ExportMax))
	err := exports.Check()
	switch {
	case err != nil && s.ExportDir != "":
		return nil, fmt.Errorf("store.export_dir: %w", err)
	case err != nil:
		log.Warn("large exports will fail: no file can be written; set store.export_dir to a folder that the broker may write", "error", err)
	}
	return exports, nil
}
