package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/config"
	"casbroker/internal/gateway"
	"casbroker/internal/ingest"
	"casbroker/internal/link"
	"casbroker/internal/portfolio"
	"casbroker/internal/privacy"
	"casbroker/internal/spool"
	"casbroker/internal/store"
	"casbroker/internal/token"
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

// exportSources returns what the export of a user's data has, in its order.
func exportSources(db *store.DB, portfolios *portfolio.Service, captures *portfolio.Captures, now func() time.Time) []privacy.ExportSource {
	return []privacy.ExportSource{
		{Name: "portfolios", Exporter: portfolios},
		{Name: "accounts", Exporter: portfolio.AccountExporter{Reader: db}},
		{Name: "captures", Exporter: captures},
		{Name: "grants", Exporter: token.Exporter{Grants: db}},
		{Name: "vendor_resources", Exporter: gateway.Exporter{Owned: db}},
		{Name: "forwarded_files", Exporter: gateway.FileExporter{Owned: db, Store: db, Now: now}},
		{Name: "mail_parsing", Exporter: ingest.ConsentExporter{Store: db}},
		{Name: "statement_jobs", Exporter: ingest.Exporter{Store: db}},
		{Name: "calls", Exporter: budget.Exporter{Store: db}},
		{Name: "links", Exporter: link.Exporter{Store: db, Now: now}},
	}
}
